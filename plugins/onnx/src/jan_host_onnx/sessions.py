"""ONNX Runtime sessions: a graph comes into memory, on the providers and threads that there are."""

import logging
import tempfile
from pathlib import Path
from typing import Final

import onnxruntime
from jan_host.kit import usable_cores

from jan_host_onnx.faults import load_error
from jan_host_onnx.optimized import OptimizedGraphs, Probe
from jan_host_onnx.providers import CPU, Provider, choose_providers
from jan_host_onnx.settings import OnnxSettings, PlacedSettings

logger = logging.getLogger(__name__)

_LEVELS: Final = {
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
_ERRORS_ONLY: Final = 3
_SPIN_MICROSECONDS: Final = 20


def open_session(
    path: Path, settings: OnnxSettings, callers: int = 1, probe: Probe | None = None
) -> onnxruntime.InferenceSession:
    """A session for the graph at `path`.

    Args:
        path: The graph's file; its weights may lie in files beside it.
        settings: Providers, threads and optimisation; with `PlacedSettings`, optimised graphs are kept.
        callers: How many threads will run it at the same time.
        probe: On a CPU, large matrices may become 8 bits where this gives nearly the same with them; ``None``
            if they may not.

    Raises:
        ModelLoadError: ONNX Runtime can't load it; says why.
    """
    providers = choose_providers(onnxruntime.get_available_providers(), settings.providers, settings.device)
    while True:
        try:
            return _open(path, settings, providers, callers, probe)
        except Exception as error:  # ONNX Runtime has a class for each kind, all beside each other
            if len(providers) == 1 or settings.providers is not None:
                raise load_error(path, error) from error
            logger.warning("%s does not run %s, so the next is tried: %s", providers[0][0], path.name, error)
            providers = providers[1:]


def session_options(settings: OnnxSettings, callers: int = 1) -> onnxruntime.SessionOptions:
    """Threads and optimisation as the settings and the machine say; `callers` as of `open_session`."""
    options = onnxruntime.SessionOptions()
    # ONNX Runtime counts one caller, who computes too; the others do so as well.
    options.intra_op_num_threads = max(1, thread_count(settings) - callers + 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = _LEVELS[settings.graph_optimization]
    # Threads that spin while they wait take the cores from other models of this machine, and threads that
    # sleep wake late. Those that spin for a moment do neither. Measured on two cores (`onnx_threads` of the
    # benches; ms asleep / 20 us / spinning): a decoder's step alone 29.4 / 26.2 / 25.9, beside other work
    # 39.3 / 42.5 / 57.5; MiniLM over 64 tokens alone 17.2 / 15.7 / 15.3, and 21.0 / 21.4 / 30.8.
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_MICROSECONDS))
    return options


def thread_count(settings: OnnxSettings) -> int:
    """CPU threads that compute at the same time."""
    return settings.cpu_threads if isinstance(settings.cpu_threads, int) else usable_cores()


def _open(
    path: Path, settings: OnnxSettings, providers: list[Provider], callers: int, probe: Probe | None
) -> onnxruntime.InferenceSession:
    options = session_options(settings, callers)
    cache = settings.cache_folder if isinstance(settings, PlacedSettings) else None
    if [name for name, _ in providers] != [CPU] or settings.graph_optimization == "none":
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    if cache and settings.cache_optimized:
        return OptimizedGraphs(Path(cache)).open(path, options, providers, probe)
    if (
        probe is not None
    ):  # a graph that was optimised, and can be rewritten, comes from ONNX Runtime as a file
        with tempfile.TemporaryDirectory(prefix="jan-host-") as folder:
            return OptimizedGraphs(Path(folder)).open(path, options, providers, probe)
    return onnxruntime.InferenceSession(str(path), options, providers=providers)
