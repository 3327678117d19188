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
BRIEFLY: Final = 20
"""Microseconds for which threads that wait spin before they sleep: for graphs that are good neighbours."""
LONGER: Final = 200
"""For graphs of which each run must be over before the next can begin."""


def open_session(
    path: Path, settings: OnnxSettings, callers: int = 1, probe: Probe | None = None, *, spins: int = BRIEFLY
) -> onnxruntime.InferenceSession:
    """A session for the graph at `path`.

    Args:
        path: The graph's file; its weights may lie in files beside it.
        settings: Providers, threads and optimisation; with `PlacedSettings`, optimised graphs are kept.
        callers: How many threads will run it at the same time.
        probe: On a CPU, large matrices may become 8 bits where this gives nearly the same with them; ``None``
            if they may not.
        spins: Microseconds for which a thread spins that waits for others, before it sleeps.

    Raises:
        ModelLoadError: ONNX Runtime can't load it; says why.
    """
    providers = choose_providers(onnxruntime.get_available_providers(), settings.providers, settings.device)
    while True:
        try:
            return _open(path, settings, providers, session_options(settings, callers, spins), probe)
        except Exception as error:  # ONNX Runtime has a class for each kind, all beside each other
            if len(providers) == 1 or settings.providers is not None:
                raise load_error(path, error) from error
            logger.warning("%s does not run %s, so the next is tried: %s", providers[0][0], path.name, error)
            providers = providers[1:]


def session_options(
    settings: OnnxSettings, callers: int = 1, spins: int = BRIEFLY
) -> onnxruntime.SessionOptions:
    """Threads and optimisation as the settings and the machine say; the others as of `open_session`."""
    options = onnxruntime.SessionOptions()
    # ONNX Runtime counts one caller, who computes too; the others do so as well.
    options.intra_op_num_threads = max(1, thread_count(settings) - callers + 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = _LEVELS[settings.graph_optimization]
    # Threads that spin while they wait take the cores from other models of this machine, and threads that
    # sleep wake late. Those that spin for a moment do neither. Measured on two cores by `onnx_threads` of the
    # benches; ms asleep / 20 us / 200 us / spinning:
    #   a decoder's step alone 30.8 / 26.5 / 25.8 / 25.5, beside other work 39.7 / 40.2 / 52.0 / 55.1;
    #   MiniLM, 64 tokens, alone 18.2 / 13.2 / 11.7 / 14.1, beside other work 20.2 / 22.3 / 30.8 / 33.6.
    # A lone stream of a decoder has 1.03 x the tokens of a plain loop with 200 us, and 0.95 x with 20.
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(spins))
    return options


def thread_count(settings: OnnxSettings) -> int:
    """CPU threads that compute at the same time."""
    return settings.cpu_threads if isinstance(settings.cpu_threads, int) else usable_cores()


def _open(
    path: Path,
    settings: OnnxSettings,
    providers: list[Provider],
    options: onnxruntime.SessionOptions,
    probe: Probe | None,
) -> onnxruntime.InferenceSession:
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
