"""For authors: chat templates, text streams and the machine's measure of local engines; importers' choice."""

from jan_host.contract.quantities import bytes_from_words
from jan_host.kit.choosing import Choice, Offer, choose
from jan_host.kit.machine import free_memory, usable_cores
from jan_host.kit.segments import Segment, text
from jan_host.kit.stream import TextStream
from jan_host.kit.template import ChatTemplate

__all__ = [
    "ChatTemplate",
    "Choice",
    "Offer",
    "Segment",
    "TextStream",
    "bytes_from_words",
    "choose",
    "free_memory",
    "text",
    "usable_cores",
]
