"""What a library of 10,000 models costs: `python -m tests.bench.library`.

Each folder has a model.json and a small file of weights. The looks stand beside the least that any reader of
the folders would do in the same run: `os.scandir` of every folder with a `stat` of every file, and for a cold
look the reading of every model.json as plain JSON. The list is asked for over HTTP from a server of its own.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from jan_host.library import Library
from jan_host.plugins import load_plugins

from tests.examples.servers import serving


def main() -> None:
    """Parse the options, measure, report."""
    parser = argparse.ArgumentParser(prog="library", description=__doc__)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lay_out(root / "models", options.models)
        print(f"{options.models} models; medians of {options.rounds} rounds")
        measure_looks(root, options.rounds)
        measure_list(root, options.rounds * 4)


def lay_out(models: Path, count: int) -> None:
    """Write the model folders."""
    for number in range(count):
        folder = models / f"org-model-{number:05}"
        folder.mkdir(parents=True)
        (folder / "weights.gguf").write_bytes(b"GGUF")
        document = {
            "id": f"org/model-{number}",
            "name": f"Model {number}",
            "created": 1_700_000_000 + number,
            "format": "gguf",
            "engine": "llama.cpp",
            "sources": [{"filename": "weights.gguf", "url": f"https://example.org/{number}/weights.gguf"}],
            "settings": {"ctx_len": 4096, "ngl": 100, "prompt_template": "{system_message}USER: {prompt}"},
            "parameters": {"temperature": 0.7, "top_p": 0.95, "max_tokens": 2048, "stop": ["</s>"]},
            "metadata": {"author": "me", "tags": ["a", "b"], "size": 4},
        }
        (folder / "model.json").write_text(json.dumps(document))


def measure_looks(root: Path, rounds: int) -> None:
    """Cold, warm and partial looks, and the floors, in turn."""
    engines = load_plugins(disabled=[], settings={}, data_folder=root / "plugins").engines()
    seconds: dict[str, list[float]] = {}

    def take(name: str, work: Callable[..., object], *arguments: object) -> None:
        begun = time.perf_counter()
        work(*arguments)
        seconds.setdefault(name, []).append(time.perf_counter() - begun)

    for number in range(rounds):
        library = Library(models_folder=root / "models", engines_folder=root / "engines", engines=engines)
        take("floor, cold", floor, root / "models", True)
        take("cold", library.refresh)
        take("floor, warm", floor, root / "models", False)
        take("warm", library.refresh)
        changed = root / "models" / f"org-model-{number:05}" / "weights.gguf"
        changed.write_bytes(b"GGUF" * (number + 2))
        take("partial, one changed", library.refresh, [changed])
    for name, values in seconds.items():
        print(f"{name:22} {statistics.median(values) * 1000:8.1f} ms   (worst {max(values) * 1000:.1f})")


def floor(models: Path, read: bool) -> None:
    """The least that a reader of the folders does."""
    for folder in os.scandir(models):
        for entry in os.scandir(folder.path):
            entry.stat()
            if read and entry.name == "model.json":
                with open(entry.path, "rb") as file:
                    json.loads(file.read())


def measure_list(root: Path, requests: int) -> None:
    """``GET /v1/models`` of a server, as a whole and with what the client has already."""
    environment = {**os.environ, "JAN_HOST_ROOT": str(root)}
    with (
        serving([sys.executable, "-m", "jan_host.cli", "serve"], environment, root) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        for name, headers in (("list, first", {}), ("list", {}), ("list, unchanged", {"If-None-Match": ""})):
            values = []
            for _ in range(1 if name == "list, first" else requests):
                begun = time.perf_counter()
                answer = client.get("/v1/models", headers={**headers, "Accept-Encoding": "identity"})
                values.append(time.perf_counter() - begun)
                if headers:
                    headers["If-None-Match"] = answer.headers["etag"]
            print(
                f"{name:22} {statistics.median(values) * 1000:8.1f} ms   (worst {max(values) * 1000:.1f};"
                f" {answer.status_code}, {len(answer.content)} bytes)"
            )


if __name__ == "__main__":
    main()
