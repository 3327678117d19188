"""For authors of engines that run language models on this machine: chat templates and text streams."""

from jan_host.kit.segments import Segment, text
from jan_host.kit.stream import TextStream
from jan_host.kit.template import ChatTemplate

__all__ = ["ChatTemplate", "Segment", "TextStream", "text"]
