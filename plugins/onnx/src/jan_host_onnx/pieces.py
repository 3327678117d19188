"""What each token adds to a text, as bytes: characters may be spread over several tokens."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

_BYTE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Pieces:
    """The bytes of tokens, by the rules of a tokenizer.json's ``decoder``.

    Args:
        decoder: That field.
        text_of: The vocabulary's name of a token; ``None`` when there is no such token.
        spelled: Added tokens, whose text no rule changes.
        silent: Control tokens, which add nothing.
    """

    def __init__(
        self,
        decoder: Any,
        text_of: Callable[[int], str | None],
        spelled: frozenset[int],
        silent: frozenset[int],
    ) -> None:
        steps = list(_steps(decoder))
        self._kinds = {str(step.get("type")) for step in steps}
        self._replacements = [pair for step in steps if (pair := _replacement(step)) is not None]
        self._prefix = next(
            (str(step.get("prefix", "##")) for step in steps if step["type"] == "WordPiece"), ""
        )
        self._text_of = text_of
        self._spelled = spelled
        self._silent = silent
        self._known: dict[int, bytes] = {}

    def bytes_of(self, token: int) -> bytes:
        """What the token adds; nothing for a control token and for one that there is not."""
        known = self._known.get(token)
        if known is None:
            known = self._known[token] = self._read(token)
        return known

    def _read(self, token: int) -> bytes:
        text = "" if token in self._silent else self._text_of(token)
        if token in self._spelled or not text:
            return (text or "").encode()
        if "ByteLevel" in self._kinds:
            return _byte_level(text)
        byte = _BYTE.fullmatch(text) if "ByteFallback" in self._kinds else None
        if byte is not None:
            return bytes([int(byte[1], 16)])
        if self._prefix:
            return (text.removeprefix(self._prefix) if text.startswith(self._prefix) else f" {text}").encode()
        for old, new in self._replacements:
            text = text.replace(old, new)
        return text.encode()


def _steps(decoder: Any) -> Iterator[dict[str, Any]]:
    """The decoder's steps, those of a sequence one by one."""
    if not isinstance(decoder, dict):
        return
    if decoder.get("type") == "Sequence":
        for step in decoder.get("decoders") or ():
            yield from _steps(step)
    else:
        yield {"type": "", **decoder}


def _replacement(step: Mapping[str, Any]) -> tuple[str, str] | None:
    """What a step writes in place of something, such as a space for ``▁``."""
    if step["type"] == "Metaspace":
        return str(step.get("replacement", "▁")), " "
    if step["type"] == "Replace" and isinstance(step.get("pattern"), dict) and "String" in step["pattern"]:
        return str(step["pattern"]["String"]), str(step.get("content", ""))
    if step["type"] == "BPEDecoder":
        return str(step.get("suffix", "</w>")), " "
    return None


def _byte_level(text: str) -> bytes:
    table = _byte_table()
    found = bytearray()
    for character in text:
        byte = table.get(character)
        found += character.encode() if byte is None else bytes([byte])
    return bytes(found)


@cache
def _byte_table() -> dict[str, int]:
    """GPT-2's printable characters for bytes (``bytes_to_unicode`` of its published encoder)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {chr(byte): byte for byte in plain}
    others = (byte for byte in range(256) if byte not in set(plain))
    table.update({chr(256 + index): byte for index, byte in enumerate(others)})
    return table
