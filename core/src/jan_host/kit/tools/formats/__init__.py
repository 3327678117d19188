"""The formats in which model families call tools, and which one a chat template's model was taught."""

from jan_host.kit.tools.formats.base import Format
from jan_host.kit.tools.formats.recognizing import recognize

__all__ = ["Format", "recognize"]
