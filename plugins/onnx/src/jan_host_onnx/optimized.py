"""Graphs that ONNX Runtime has rewritten for this machine, kept on disk between starts.

An entry is a folder whose name is made from all that the rewriting depends on: the file (place,
size, time of writing, those of its weights), ONNX Runtime's version, its options, and the processor.
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
from pathlib import Path
from typing import Any, Final

import onnxruntime

from jan_host_onnx.graph import data_paths, read_graph

logger = logging.getLogger(__name__)

MOST_BYTES: Final = 1024**3
"""Larger graphs are not kept: to read them is most of their start, and to keep them takes much room."""
_KEEP_SECONDS: Final = 30 * 24 * 3600
_NAME: Final = "model.onnx"
_FRESH: Final = ".new-"
_ENTRY: Final = re.compile(rf"[0-9a-f]{{40}}|{re.escape(_FRESH)}\w+")


class OptimizedGraphs:
    """The cache in one folder. Whatever goes wrong with it costs time alone.

    Args:
        folder: Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(
        self, path: Path, options: onnxruntime.SessionOptions, providers: list[Any]
    ) -> onnxruntime.InferenceSession:
        """A session for the graph at `path`, from the cache or into it.

        Args:
            path: The graph's file.
            options: Threads and the level of optimisation.
            providers: As `onnxruntime.InferenceSession` takes them.
        """
        files = [path, *(file for file, _ in data_paths(path, read_graph(path)))]
        if sum(file.stat().st_size for file in files) > MOST_BYTES:
            return onnxruntime.InferenceSession(str(path), options, providers=providers)
        entry = self._folder / _key(files, options, providers)
        session = self._from(entry, options, providers)
        return session if session is not None else self._into(entry, path, options, providers)

    def _from(
        self, entry: Path, options: onnxruntime.SessionOptions, providers: list[Any]
    ) -> onnxruntime.InferenceSession | None:
        kept = entry / _NAME
        if not kept.is_file():
            return None
        level = options.graph_optimization_level
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            session = onnxruntime.InferenceSession(str(kept), options, providers=providers)
            os.utime(entry)
        except Exception as error:  # the file is damaged, whatever ONNX Runtime calls that
            logger.warning("The optimised graph %s can't be used and is made anew: %s", kept, error)
            shutil.rmtree(entry, ignore_errors=True)
            return None
        finally:
            options.graph_optimization_level = level
        return session

    def _into(
        self, entry: Path, path: Path, options: onnxruntime.SessionOptions, providers: list[Any]
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
            session = onnxruntime.InferenceSession(str(path), options, providers=providers)
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


def _key(files: list[Path], options: onnxruntime.SessionOptions, providers: list[Any]) -> str:
    digest = hashlib.sha256()
    for file in files:
        found = file.stat()
        digest.update(f"{file.resolve()}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    told = (onnxruntime.__version__, options.graph_optimization_level, providers, _processor())
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
