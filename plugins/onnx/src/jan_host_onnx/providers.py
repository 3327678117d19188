"""Which execution providers run a graph: accelerators where there are some, then the CPU."""

from collections.abc import Sequence
from typing import Any, Final

from jan_host import ModelLoadError

SUFFIX: Final = "ExecutionProvider"
CPU: Final = f"CPU{SUFFIX}"
_PREFERRED: Final = ("CUDA", "ROCM", "MIGraphX", "Dml", "CoreML", "OpenVINO")
"""Taken without being asked for, the best first.

TensorRT is not among them: it builds an engine for minutes before the first answer. Providers that
send a graph to a service (Azure) and those for phones are not either."""
_SHORT: Final = {"directml": "dml", "tensorrt": "tensorrt", "gpu": "cuda"}

Provider = tuple[str, dict[str, Any]]


def choose_providers(available: Sequence[str], wanted: Sequence[str] | None, device: int) -> list[Provider]:
    """The providers to try, in order, with their options; the CPU is always the last.

    Args:
        available: What the installed runtime has (``get_available_providers``).
        wanted: The setting; ``None`` to choose by what is there.
        device: Which accelerator.

    Raises:
        ModelLoadError: One that is asked for is not there.
    """
    names = {name.removesuffix(SUFFIX).casefold(): name for name in available}
    if wanted is None:
        found = [names[name.casefold()] for name in _PREFERRED if name.casefold() in names]
    else:
        found = [_named(name, names) for name in wanted]
    return [(name, _options(name, device)) for name in dict.fromkeys([*found, CPU])]


def _named(name: str, names: dict[str, str]) -> str:
    short = name.removesuffix(SUFFIX).casefold()
    found = names.get(_SHORT.get(short, short))
    if found is None:
        raise ModelLoadError(
            f"The installed onnxruntime has no provider {name!r}. It has:"
            f" {', '.join(sorted(names.values()))}. Choose one of these, or install the onnxruntime package"
            " for your accelerator.",
            param="settings.providers",
        )
    return found


def _options(name: str, device: int) -> dict[str, Any]:
    if name in (f"CUDA{SUFFIX}", f"Tensorrt{SUFFIX}", f"ROCM{SUFFIX}", f"Dml{SUFFIX}", f"MIGraphX{SUFFIX}"):
        return {"device_id": str(device)}
    return {}
