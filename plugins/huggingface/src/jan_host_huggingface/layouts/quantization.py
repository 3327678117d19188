"""Names of quantizations in the names of GGUF files.

The names are those that llama.cpp's quantize tool takes, with the additions of people who publish:
``UD-`` (mixed by layer), ``_L``, ``_XL``, ``_XXL`` (some tensors with more bits).
"""

import re

BITS = {
    "F32": 31.0,  # the same model as F16 for its user, and twice as slow: only where there is nothing else
    "BF16": 16.0,
    "F16": 16.1,
    "FP16": 16.1,
    "FP32": 31.0,
    "NVFP4": 4.5,
    "MXFP4": 4.25,
    "MXFP4_MOE": 4.25,
    "Q8_0": 8.5,
    "Q8_K": 8.6,
    "Q6_K": 6.56,
    "Q5_1": 5.6,
    "Q5_0": 5.5,
    "Q5_K": 5.68,
    "Q4_1": 4.6,
    "Q4_0": 4.5,
    "Q4_K": 4.83,
    "Q3_K": 3.89,
    "Q2_K": 2.96,
    "IQ4_NL": 4.5,
    "IQ4_XS": 4.25,
    "IQ3_M": 3.66,
    "IQ3_S": 3.44,
    "IQ3_XS": 3.3,
    "IQ3_XXS": 3.06,
    "IQ2_M": 2.7,
    "IQ2_S": 2.5,
    "IQ2_XS": 2.31,
    "IQ2_XXS": 2.06,
    "IQ1_M": 1.75,
    "IQ1_S": 1.56,
    "TQ2_0": 2.06,
    "TQ1_0": 1.69,
}
"""Bits of a weight, from llama.cpp's table of its own formats; mixtures stand for their usual form."""

_SIZES = {"_XXL": 0.3, "_XL": 0.25, "_L": 0.2, "_M": 0.0, "_S": -0.25, "_XS": -0.3}
"""What the letter behind a K format changes."""
_NAME = re.compile(
    r"(?<![A-Za-z0-9])(?P<mixed>UD-)?(?P<label>"
    r"Q[2-8]_K(?:_(?:XXL|XL|XS|L|M|S))?"
    r"|IQ[1-4]_(?:XXS|XS|NL|XL|L|M|S)"
    r"|Q[458]_[01](?:_(?:[48]_[48]|XXL|XL|L))?"
    r"|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|FP?16|FP?32"
    r")(?![A-Za-z0-9_])",
    re.IGNORECASE,
)


def quantization_of(path: str) -> str | None:
    """The quantization that a file's name tells, else the name of its folder, in capitals.

    The longest name counts: ``Q2_K_S`` is no ``Q2_K``; of several the last.
    """
    for part in reversed(path.split("/")):
        matches = list(_NAME.finditer(part))
        if matches:
            return matches[-1][0].upper()
    return None


def without_quantization(stem: str) -> str:
    """A file's stem without the quantization's name and what holds it there."""
    matches = list(_NAME.finditer(stem))
    if not matches:
        return stem
    return (stem[: matches[-1].start()].rstrip("-._") + stem[matches[-1].end() :]).strip("-._")


def bits_of(label: str | None) -> float | None:
    """Bits of a weight, about; ``None`` for a format that is not known."""
    if label is None:
        return None
    plain = label.removeprefix("UD-")
    mixed = 0.05 if plain != label else 0.0
    if plain in BITS:
        return BITS[plain] + mixed
    for ending, more in _SIZES.items():
        if plain.endswith(ending) and plain.removesuffix(ending) in BITS:
            return BITS[plain.removesuffix(ending)] + more + mixed
    base = re.match(r"(I?Q\d_[01K])", plain)
    return BITS.get(base[0]) if base else None
