"""A request's head without the wish to go on in another protocol, which a server may decline."""

from collections.abc import Iterable

WISHES = frozenset({b"upgrade", b"http2-settings"})
"""The headers, and the options of ``Connection``, that express it."""


def head_without_upgrade(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of an HTTP/1.1 request that asks for no upgrade.

    Args:
        method: As in ``POST``.
        target: Path and query as they came.
        headers: Names in lower case, and values.
    """
    lines = [method + b" " + target + b" HTTP/1.1"]
    for name, value in headers:
        if name not in WISHES:
            lines.append(name + b": " + (_other_options(value) if name == b"connection" else value))
    return b"\r\n".join([*lines, b"", b""])


def _other_options(connection: bytes) -> bytes:
    options = [option.strip() for option in connection.split(b",")]
    return b", ".join(option for option in options if option.lower() not in WISHES)
