"""Numbers of a header with which llama.cpp would end the process, or compute nonsense without a word."""

import math

from jan_host import ModelLoadError

from jan_host_llamacpp.header import Header


def check_numbers(header: Header) -> None:
    """Hold the architecture's own numbers against what can be.

    Raises:
        ModelLoadError: One is infinite or none at all, or an epsilon is negative; names it.
    """
    for key, value in header.metadata.items():
        if not isinstance(value, float) or not key.startswith(header.own("")):
            continue
        if not math.isfinite(value) or (key.endswith("_epsilon") and value < 0):
            raise ModelLoadError(
                f"The model's file is damaged: it says that {key} is {value:g}. Download it again.",
                param="sources",
            )
