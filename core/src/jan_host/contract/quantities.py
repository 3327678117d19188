"""Quantities in words, the same everywhere: in plans, in errors, in the terminal."""

_UNITS = ("B", "kB", "MB", "GB")


def bytes_in_words(count: int) -> str:
    """A number of bytes in decimal units: ``"93.1 MB"``."""
    amount = float(count)
    for unit in _UNITS:
        if amount < 999.95 or (unit == "B" and amount < 1000):
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
