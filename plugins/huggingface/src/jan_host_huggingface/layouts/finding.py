"""From a repository's files to the variants of its model."""

from collections.abc import Sequence
from dataclasses import replace

from jan_host import ImportFailedError

from jan_host_huggingface.layouts.bundle import Bundle
from jan_host_huggingface.layouts.gguf import find_gguf
from jan_host_huggingface.layouts.onnx import WEIGHTS, find_onnx
from jan_host_huggingface.layouts.whole import find_whole
from jan_host_huggingface.repositories import File

LISTED = (".gguf", ".onnx", ".proj", "genai_config.json")
MOST_MODELS = 1000


def find_bundles(files: Sequence[File]) -> list[Bundle]:
    """The variants: GGUF before ONNX before all the rest, which is one.

    A repository whose GGUF model has one variant is fetched whole, but for weights in other formats.

    Raises:
        ImportFailedError: There are too many files to be variants of one model.
    """
    models = [file for file in files if file.ends_with(*LISTED)]
    if len(models) > MOST_MODELS:
        raise ImportFailedError(
            f"There are {len(models)} model files in the repository, and at most {MOST_MODELS} are looked at."
            " Name the one that you want by its address."
        )
    found = find_gguf(files)
    if len(found) == 1:
        return [_with_extras(found[0], files)]
    return found or find_onnx(files) or find_whole(files)


def _with_extras(bundle: Bundle, files: Sequence[File]) -> Bundle:
    own = {file.path for file in bundle.files}
    extras = tuple(
        file
        for file in files
        if file.path not in own and not file.ends_with(*WEIGHTS) and not file.name.startswith(".git")
    )
    return replace(bundle, extras=extras)
