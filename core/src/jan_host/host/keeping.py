"""How long an idle model stays in memory, as people write it."""

import math
import re
from typing import Any

from jan_host.contract.errors import ValidationError

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h|d)?")
_SECONDS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
FOR_EVER = -1.0


def keep_alive_of(value: Any) -> float | None:
    """The seconds that a ``keep_alive`` means; below zero: for ever; ``None``: as the host has it.

    Args:
        value: A number of seconds, a text such as ``"10m"`` or ``"1.5h"``, or ``-1``.

    Raises:
        ValidationError: It is none of these.
    """
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value) if value >= 0 else FOR_EVER
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("-") and _DURATION.fullmatch(text[1:]):
        return FOR_EVER
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValidationError(
            f"keep_alive can't be {value!r}. Write seconds, a duration such as '10m', or -1 for ever.",
            param="settings.keep_alive",
        )
    return float(match["number"]) * _SECONDS[match["unit"]]
