"""Embeddings through HTTP next to the loop that a user would write with onnxruntime and tokenizers.

Both read the same file, all-MiniLM-L6-v2 in 8 bits, and the same texts, in turn; medians of the rounds.
The goals: 0.9 x at 64 texts a request, and 1.5 x for 8 clients with a text each against the loop that
takes them one by one.
"""

import argparse
import base64
import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from tests.cli.conftest import environment
from tests.examples.servers import serving
from tests.models import minilm_folder, minilm_int8_file

MODEL = "minilm"
CLIENTS = 8
_WORDS = (
    "the quick brown fox jumps over a lazy dog while interest rates rose by one quarter of points and "
    "people in the city walk slowly along the river under heavy rain before children play football near "
    "their old school"
)
_LENGTHS = (4, 6, 8, 12, 16, 24, 32, 48)
"""Words of a text: queries, sentences, short paragraphs."""

Work = Callable[[Sequence[str]], int]
"""Embeds texts; gives how many vectors came."""


class Loop:
    """onnxruntime and tokenizers as their documentation shows them."""

    def __init__(self, graph: Path, tokenizer: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self._session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vectors of one batch."""
        encodings = self._tokenizer.encode_batch(list(texts))
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        feeds = {
            "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([encoding.type_ids for encoding in encodings], np.int64),
        }
        hidden = self._session.run(None, feeds)[0]
        pooled = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        vectors: npt.NDArray[np.float32] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    def in_batches(self, size: int) -> Work:
        """Some texts at a time."""

        def work(texts: Sequence[str]) -> int:
            return sum(len(self.embed(texts[at : at + size])) for at in range(0, len(texts), size))

        return work


class Client:
    """One connection to the server, asking as the openai client does: for base64."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vectors of one request."""
        body = json.dumps({"model": MODEL, "input": list(texts), "encoding_format": "base64"})
        self._connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(said.decode())
        data = json.loads(said)["data"]
        return np.stack([np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in data])

    def in_batches(self, size: int) -> Work:
        """Some texts a request, one request after the other."""

        def work(texts: Sequence[str]) -> int:
            return sum(len(self.embed(texts[at : at + size])) for at in range(0, len(texts), size))

        return work


def many_clients(url: str) -> Work:
    """Clients at once, each with a text a request."""
    clients = [Client(url) for _ in range(CLIENTS)]
    pool = ThreadPoolExecutor(CLIENTS)

    def work(texts: Sequence[str]) -> int:
        shares = [texts[start::CLIENTS] for start in range(CLIENTS)]
        jobs = [
            pool.submit(client.in_batches(1), share) for client, share in zip(clients, shares, strict=True)
        ]
        return sum(job.result() for job in jobs)

    return work


def some_texts(count: int, seed: int) -> list[str]:
    """Texts of mixed lengths, always the same for a seed."""
    random = Random(seed)
    return [" ".join(random.choices(_WORDS.split(), k=random.choice(_LENGTHS))) for _ in range(count)]


def speed(work: Work, texts: Sequence[str]) -> float:
    """Texts a second."""
    begun = time.perf_counter()
    if work(texts) != len(texts):
        raise RuntimeError("a text has no vector")
    return len(texts) / (time.perf_counter() - begun)


def compare(loop: Loop, url: str, rounds: int, count: int) -> None:
    """Measure and print."""
    client = Client(url)
    together, alone = client.embed(some_texts(8, 0)), loop.embed(some_texts(8, 0))
    print(f"least cosine between the two: {(together * alone).sum(axis=1).min():.6f}")
    cases: list[tuple[str, Work, Work]] = [
        (f"{size} a request", client.in_batches(size), loop.in_batches(size)) for size in (1, 8, 64)
    ]
    cases.append((f"{CLIENTS} clients, 1 each", many_clients(url), loop.in_batches(1)))
    print(f"{'texts':<20}{'jan-host':>12}{'in-process':>12}   ratio (median of rounds)")
    for name, ours, theirs in cases:
        found = []
        for turn in range(rounds + 1):
            texts = some_texts(count, turn + 1)
            turns = (ours, theirs) if turn % 2 else (theirs, ours)
            found.append({work: speed(work, texts) for work in turns})
        found = found[1:]  # the first one warms up
        mine, other = (statistics.median(one[work] for one in found) for work in (ours, theirs))
        ratio = statistics.median(one[ours] / one[theirs] for one in found)
        print(f"{name:<20}{mine:>10.0f}/s{other:>10.0f}/s   {ratio:.2f} x", flush=True)


def main() -> None:
    """Parse the options, serve, measure."""
    parser = argparse.ArgumentParser(prog="embeddings", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=256, help="texts of each round")
    options = parser.parse_args()
    graph, tokenizer = minilm_int8_file(), minilm_folder() / "tokenizer.json"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "models" / MODEL
        folder.mkdir(parents=True)
        (folder / "model.onnx").symlink_to(graph)
        (folder / "tokenizer.json").symlink_to(tokenizer)
        command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", place]
        with serving(command, environment(), Path(place)) as url:
            compare(Loop(graph, tokenizer), url, options.rounds, options.texts)


if __name__ == "__main__":
    main()
