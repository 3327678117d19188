"""The types that cross the border between host and plugin: msgspec and the standard library only."""
