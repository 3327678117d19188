"""How many tokens of a prompt are computed at once, so that the streams of others do not stall."""

from typing import Final

_STALL_SECONDS: Final = 0.2
"""How long a piece of a prompt may hold up the streams of others."""
_ALONE_SECONDS: Final = 1.0
"""How long it may take while nobody streams: after it, new requests join."""
_FEWEST: Final = 32
"""With fewer tokens, the weights are read too often."""
_FIRST: Final = 64


class Pace:
    """Learns how long tokens take.

    Args:
        most: Tokens of one run at most.
        pieces: Whether a prompt may be computed in pieces at all.
        steady: Whether all pieces must be of one size, since a graph rounds by what is in a run together.
    """

    def __init__(self, most: int, *, pieces: bool, steady: bool) -> None:
        self.most = most
        self.pieces = pieces
        self._steady = steady
        self._seconds_per_token = 0.0

    def size(self, wanted: int, streams: int) -> int:
        """How many of the `wanted` tokens to compute now, while `streams` sequences generate."""
        if not self.pieces:
            return wanted
        if self._steady or not self._seconds_per_token:
            return min(wanted, self.most, _FIRST)
        seconds = _STALL_SECONDS if streams else _ALONE_SECONDS
        return min(wanted, self.most, max(_FEWEST, int(seconds / self._seconds_per_token)))

    def learn(self, tokens: int, seconds: float) -> None:
        """A piece of so many tokens took so long."""
        if tokens >= _FEWEST:
            latest = seconds / tokens
            self._seconds_per_token = 0.7 * (self._seconds_per_token or latest) + 0.3 * latest
