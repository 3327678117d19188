"""Graphs that ONNX Runtime has rewritten for this machine, kept on disk between starts.

An entry is a folder whose name is made from all that the rewriting depends on: the file (place,
size, time of writing, those of its weights), ONNX Runtime's version, its options, the processor, and
whether large matrices were brought to 8 bits (`jan_host_onnx.narrowing`).
"""

import contextlib
import hashlib
import logging
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import onnxruntime

from jan_host_onnx.graph import Graph, data_paths, read_graph
from jan_host_onnx.narrowing import BLOCK, narrow

logger = logging.getLogger(__name__)

MOST_BYTES: Final = 1024**3
"""Larger graphs are not kept: to read them is most of their start, and to keep them takes much room."""
_MOST_EXPANDED: Final = 3 * 1024**3 // 2
"""Bytes of weights in 32 bits; a graph that ONNX Runtime writes may have 2 GB at most."""
_ALIKE: Final = 0.2
"""How far what a graph in 8 bits gives may lie from what it gave before, of its length: cosine 0.98."""
_SLOWER: Final = ("SkipLayerNormFusion",)
"""Left out of graphs in 8 bits: its operator takes 51 us where the two that it stands for take 20 and 7
(MiniLM, 22 tokens)."""
_SLOW: Final = 2.0
"""So many times what it took before is too long: the processor has no instructions for it (such as those of
AVX2, or ARM's dot product), and ONNX Runtime makes floats of the weights in each run."""
_TRIES: Final = 5
_KEEP_SECONDS: Final = 30 * 24 * 3600
_NAME: Final = "model.onnx"
_FRESH: Final = ".new-"
_NARROW: Final = "narrow.onnx"
_ENTRY: Final = re.compile(rf"[0-9a-f]{{40}}|{re.escape(_FRESH)}\w+")


Probe = Callable[[onnxruntime.InferenceSession], npt.NDArray[Any]]
"""Computes something small with a session."""


class OptimizedGraphs:
    """The cache in one folder. Whatever goes wrong with it costs time alone.

    Args:
        folder: Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(
        self,
        path: Path,
        options: onnxruntime.SessionOptions,
        providers: list[Any],
        probe: Probe | None = None,
    ) -> onnxruntime.InferenceSession:
        """A session for the graph at `path`, from the cache or into it.

        Args:
            path: The graph's file.
            options: Threads and the level of optimisation.
            providers: As `onnxruntime.InferenceSession` takes them.
            probe: Large matrices become 8 bits where this gives the same with them, nearly.
                ``None``: they stay as they are.
        """
        graph = read_graph(path)
        files = [path, *(file for file, _ in data_paths(path, graph))]
        if sum(file.stat().st_size for file in files) > MOST_BYTES or _expanded(graph) > _MOST_EXPANDED:
            return onnxruntime.InferenceSession(str(path), options, providers=providers)
        told = () if probe is None else ("8 bits", BLOCK)
        entry = self._folder / _key(files, options, providers, told)
        session = self._from(entry, options, providers)
        return session if session is not None else self._into(entry, path, options, providers, probe)

    def _from(
        self, entry: Path, options: onnxruntime.SessionOptions, providers: list[Any]
    ) -> onnxruntime.InferenceSession | None:
        kept = entry / _NAME
        if not kept.is_file():
            return None
        try:
            session = _as_it_is(kept, options, providers)
            os.utime(entry)
        except Exception as error:  # the file is damaged, whatever ONNX Runtime calls that
            logger.warning("The optimised graph %s can't be used and is made anew: %s", kept, error)
            shutil.rmtree(entry, ignore_errors=True)
            return None
        return session

    def _into(
        self,
        entry: Path,
        path: Path,
        options: onnxruntime.SessionOptions,
        providers: list[Any],
        probe: Probe | None,
    ) -> onnxruntime.InferenceSession:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._tidy()
            fresh = Path(tempfile.mkdtemp(prefix=_FRESH, dir=self._folder))
        except OSError as error:
            logger.warning("The optimised graph of %s can't be kept: %s", path.name, error)
            return onnxruntime.InferenceSession(str(path), options, providers=providers)
        try:
            options.optimized_model_filepath = str(fresh / _NAME)
            session = onnxruntime.InferenceSession(
                str(path), options, providers=providers, disabled_optimizers=_SLOWER if probe else ()
            )
            options.optimized_model_filepath = ""
            before = _trial(probe, session)
            if before is not None:
                del session  # the two are not in memory together
                session = _narrowed(fresh, options, providers, before) or _as_it_is(
                    fresh / _NAME, options, providers
                )
            with contextlib.suppress(OSError):  # another worker was quicker, or the disk is full
                fresh.rename(entry)
            return session
        finally:
            options.optimized_model_filepath = ""
            shutil.rmtree(fresh, ignore_errors=True)

    def _tidy(self) -> None:
        """Remove entries that were not used for a month, and what a start that was cut short left."""
        for entry in self._folder.iterdir():
            if _ENTRY.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > _KEEP_SECONDS:
                shutil.rmtree(entry, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a probe gave with a graph, and what it cost."""

    probe: Probe
    result: npt.NDArray[Any]
    seconds: float
    """Processor time, which other work on the machine does not change."""

    @classmethod
    def of(cls, probe: Probe, session: onnxruntime.InferenceSession) -> Self:
        """Run the probe."""
        result, seconds = probe(session), []
        for _ in range(_TRIES):
            begun = time.process_time()
            probe(session)
            seconds.append(time.process_time() - begun)
        return cls(probe, result, min(seconds))


def _trial(probe: Probe | None, session: onnxruntime.InferenceSession) -> _Trial | None:
    try:
        return None if probe is None else _Trial.of(probe, session)
    except Exception as error:  # ONNX Runtime has a class for each kind, all beside each other
        logger.warning(
            "The model computes in 32 bits, since its graph does not take a text of trial: %s", error
        )
        return None


def _narrowed(
    folder: Path, options: onnxruntime.SessionOptions, providers: list[Any], before: _Trial
) -> onnxruntime.InferenceSession | None:
    """Bring the optimised graph in `folder` to 8 bits, where that goes well."""
    path = folder / _NARROW
    try:
        if not narrow(folder / _NAME, path):
            return None
        session = _as_it_is(path, options, providers)
        now = _Trial.of(before.probe, session)
        if not np.linalg.norm(now.result - before.result) <= _ALIKE * np.linalg.norm(before.result):
            raise ArithmeticError("what it gives is not the same")
        if now.seconds > _SLOW * before.seconds:
            logger.info("8 bits are slow on this processor, so the model computes in 32")
            path.unlink()
            return None
        path.replace(folder / _NAME)
    except Exception as error:  # ONNX Runtime has a class for each kind, all beside each other
        logger.warning("The model computes in 32 bits, since its graph in 8 bits can't be used: %s", error)
        path.unlink(missing_ok=True)
        return None
    return session


def _as_it_is(
    path: Path, options: onnxruntime.SessionOptions, providers: list[Any]
) -> onnxruntime.InferenceSession:
    """A session for a graph that is optimised already."""
    level = options.graph_optimization_level
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    finally:
        options.graph_optimization_level = level


def _expanded(graph: Graph) -> int:
    """Bytes of a graph's weights when all of them are floats of 32 bits, as they may become."""
    return 4 * sum(graph.weights.values())


def _key(
    files: list[Path], options: onnxruntime.SessionOptions, providers: list[Any], more: tuple[Any, ...]
) -> str:
    digest = hashlib.sha256()
    for file in files:
        found = file.stat()
        digest.update(f"{file.resolve()}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    told = (onnxruntime.__version__, options.graph_optimization_level, providers, _processor(), *more)
    digest.update(repr(told).encode())
    return digest.hexdigest()[:40]


def _processor() -> str:
    """What distinguishes processors that need different graphs."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {platform.processor()} {flags}"
