"""Quantities in words, the same everywhere: in plans, in errors, in the terminal."""

import re

_UNITS = ("B", "kB", "MB", "GB")
_AMOUNT = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,9})?)\s*(?P<unit>[kmgt]?i?b?)", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def bytes_in_words(count: int) -> str:
    """A number of bytes in decimal units: ``"93.1 MB"``."""
    amount = float(count)
    for unit in _UNITS:
        if amount < 999.95 or (unit == "B" and amount < 1000):
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def bytes_from_words(text: str) -> int | None:
    """The bytes of ``"8GB"``, ``"1.5 GiB"`` (powers of 1024) or ``"512"``; ``None``: it is no amount."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        return None
    unit = match["unit"].lower().removesuffix("b")
    if unit == "i":
        return None
    base = 1024 if unit.endswith("i") else 1000
    factor: int = base ** _POWERS[unit.removesuffix("i")]
    return round(float(match["number"]) * factor)
