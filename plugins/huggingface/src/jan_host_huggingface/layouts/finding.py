"""From a repository's files to the variants of its model."""

from collections.abc import Sequence
from dataclasses import replace

from jan_host_huggingface.layouts.bundle import Bundle
from jan_host_huggingface.layouts.gguf import find_gguf
from jan_host_huggingface.layouts.onnx import WEIGHTS, find_onnx
from jan_host_huggingface.layouts.whole import find_whole
from jan_host_huggingface.repositories import File


def find_bundles(files: Sequence[File]) -> list[Bundle]:
    """The variants: GGUF before ONNX before all the rest, which is one.

    A repository whose GGUF model has one variant is fetched whole, but for weights in other formats.
    """
    found = find_gguf(files)
    if len(found) == 1:
        return [_with_extras(found[0], files)]
    return found or find_onnx(files) or find_whole(files)


def _with_extras(bundle: Bundle, files: Sequence[File]) -> Bundle:
    extras = tuple(
        file
        for file in files
        if file not in bundle.files and not file.ends_with(*WEIGHTS) and not file.name.startswith(".git")
    )
    return replace(bundle, extras=extras)
