"""Server-sent events from bytes that are cut anywhere.

The format: https://html.spec.whatwg.org/multipage/server-sent-events.html. Only ``data`` counts here,
since an event of OpenAI's tells by its data what it is; a lone CR is no line's end to any such server.
"""

from jan_host import UpstreamError

MOST_BYTES = 64 << 20
"""The longest event that is taken."""
BOM = b"\xef\xbb\xbf"
"""A stream may begin with it; it says nothing."""


class EventReader:
    """Takes bytes as they come and gives the data of each event that is complete."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        """Of the line that has no end yet."""
        self._waiting = 0
        """Bytes of the event that has no end yet."""
        self._is_new = True
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> list[bytes]:
        """The data of the events that end in `received`.

        Raises:
            UpstreamError: An event has no end.
        """
        found: list[bytes] = []
        self._waiting += len(received)
        self._parts.append(received)
        if b"\n" in received:
            *lines, rest = b"".join(self._parts).split(b"\n")
            self._parts = [rest]
            for line in lines:
                self._take(line, found)
            if found or not self._data:
                self._waiting = len(rest)
        if self._waiting > MOST_BYTES:
            raise UpstreamError(f"The upstream sent an event of more than {MOST_BYTES} bytes.")
        return found

    def end(self) -> list[bytes]:
        """The event that the stream ended in, without the empty line that should follow it."""
        found = self.feed(b"\n\n")
        self._parts = []
        return found

    def _take(self, line: bytes, found: list[bytes]) -> None:
        if self._is_new:
            self._is_new = False
            line = line.removeprefix(BOM)
        if line.endswith(b"\r"):
            line = line[:-1]
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif not line and self._data:
            found.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data = []
