"""For authors: chat templates and text streams of local engines; importers' choice among variants."""

from jan_host.kit.choosing import Choice, Offer, choose
from jan_host.kit.segments import Segment, text
from jan_host.kit.stream import TextStream
from jan_host.kit.template import ChatTemplate

__all__ = ["ChatTemplate", "Choice", "Offer", "Segment", "TextStream", "choose", "text"]
