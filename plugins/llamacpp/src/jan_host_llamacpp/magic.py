"""Tell GGUF files from others by how they begin."""

from pathlib import Path
from typing import Final

MAGIC: Final = b"GGUF"
_KNOWN_BEGINNINGS: Final = {
    b"version https://git-lfs": "is a pointer of Git LFS, not the model. Fetch the file that it stands for.",
    b"lmgg": "is in GGML's oldest format, which llama.cpp no longer reads. Get the model as GGUF.",
    b"fmgg": "is in GGML's old format ggmf, which llama.cpp no longer reads. Get the model as GGUF.",
    b"tjgg": "is in GGML's old format ggjt, which llama.cpp no longer reads. Get the model as GGUF.",
    b"algg": "is an adapter in GGML's old format, which llama.cpp no longer reads. Convert it to GGUF.",
}


def is_gguf(path: Path) -> bool:
    """Whether the file is GGUF by its name, or GGUF inside a ``.bin`` or a name without an ending."""
    suffix = path.suffix.lower()
    if suffix not in (".bin", ""):
        return suffix == ".gguf"
    try:
        with path.open("rb", buffering=0) as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def why_not_gguf(begin: bytes) -> str:
    """What a file is that begins so, as the end of a sentence about it."""
    for known, reason in _KNOWN_BEGINNINGS.items():
        if begin.startswith(known):
            return reason
    shown = begin[:12].decode("ascii", "backslashreplace") if begin.isascii() else begin[:4].hex(" ")
    return f"is not a GGUF file: it begins with {shown!r} in place of 'GGUF'. Download it again."
