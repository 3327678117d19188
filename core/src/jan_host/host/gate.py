"""Whether the host takes more work."""

from jan_host.contract.errors import UnavailableError


class Gate:
    """Open until the host begins to end."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open = True

    def check(self) -> None:
        """Let one piece of work in.

        Raises:
            UnavailableError: The host is shutting down.
        """
        if not self.open:
            raise UnavailableError("The host is shutting down. Try again when it is back.", retry_after=5)
