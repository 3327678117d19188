"""Tools and reasoning for engines that generate tokens themselves.

A `Dialogue` makes the prompt of a conversation and says how to read the answers: in the form that the model
was taught, which its chat template tells (`formats`), or in a generic one.
"""

from jan_host.kit.tools.dialogue import Asked, Dialogue
from jan_host.kit.tools.reading import Reader

__all__ = ["Asked", "Dialogue", "Reader"]
