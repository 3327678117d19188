"""How a model's files lie: its graph, weights, tokenizer and configuration, and what kind of model it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from jan_host import ModelBrokenError

from jan_host_onnx import variants
from jan_host_onnx.documents import read_object, whole_number
from jan_host_onnx.graph import Graph, data_paths, read_graph
from jan_host_onnx.purpose import purpose_of
from jan_host_onnx.sentence import Sentence, read_sentence

Kind = Literal["embedding", "reranker", "decoder", "genai"]
GENAI_FILE: Final = "genai_config.json"
_SUBFOLDERS: Final = frozenset({"onnx", "0_Transformer", "0_transformer"})
"""Folders of graphs whose configuration lies one folder up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A model's files. Paths are ``None`` where the model has no such file."""

    kind: Kind
    root: Path
    """The folder of its configuration."""
    graph_path: Path
    graph: Graph
    data_files: tuple[Path, ...] = ()
    """Files of weights that belong to the graph."""
    graphs: tuple[Path, ...] = ()
    """All its graph files, this one included: one model in several number formats."""
    tokenizer: Path | None = None
    tokenizer_config: Path | None = None
    special_tokens_map: Path | None = None
    config: Path | None = None
    generation_config: Path | None = None
    genai_config: Path | None = None
    chat_template: Path | None = None
    """``chat_template.jinja`` or ``chat_template.json``; else the template stands in tokenizer_config."""
    sentence: Sentence = field(default_factory=Sentence)
    family: str = ""
    """``model_type`` of config.json, such as ``bert``."""
    max_length: int | None = None
    """Tokens that it was trained for."""
    positions: int | None = None
    """Tokens that its table of positions has room for; ``None`` when it has none, or it is not known."""
    dimensions: int | None = None
    """The length of its vectors."""

    def companions(self) -> list[Path]:
        """The files beside the graph that are read, its weights first."""
        found = (
            self.genai_config,
            self.config,
            self.tokenizer,
            self.tokenizer_config,
            self.special_tokens_map,
            self.generation_config,
            self.chat_template,
        )
        return [*self.data_files, *(path for path in found if path is not None)]

    @property
    def size(self) -> int:
        """Bytes of the graph and its weights, as far as it reads the files that hold them."""
        needed = zip(self.data_files, self.graph.data_files.values(), strict=True)
        graph = self.graph_path.stat().st_size if self.graph_path.is_file() else 0
        return graph + sum(size or path.stat().st_size for path, size in needed if path.is_file())


def find_layout(files: Sequence[Path], folder: Path, variant: str | None = None) -> Layout:
    """The layout of one model.

    Args:
        files: The files that its model.json names; others may lie beside them.
        folder: The folder of its model.json.
        variant: Which of several graph files; see `variants.choose`.

    Raises:
        ModelBrokenError: A file is missing or can't be read, or it is no model of text; says why.
    """
    named = [path for path in files if path.suffix.lower() == ".onnx"]
    if not named:
        raise ModelBrokenError(
            "The model names no .onnx file. Name its graph among the sources of its model.json."
        )
    missing = next((path for path in named if not path.is_file()), None)
    if missing is not None:
        raise ModelBrokenError(
            f"The file {missing.name} is missing from {missing.parent}. Download the model again, or correct"
            " its sources.",
            param="sources",
        )
    siblings = {path for first in named for path in siblings_of(first)} if variant else set()
    graph_path = variants.choose(sorted(siblings.union(named)), variant)
    return describe(graph_path, order(named), [*files, *_beside(folder)])


def order(graphs: Iterable[Path]) -> list[Path]:
    """Graph files of one model, the preferred one first."""
    return variants.order(graphs)


def siblings_of(graph: Path) -> list[Path]:
    """The graph files beside `graph` that are the same model in other number formats, itself included."""
    return [path for path in graph.parent.glob("*.onnx") if variants.base_of(path) == variants.base_of(graph)]


def describe(graph_path: Path, graphs: Sequence[Path], files: Sequence[Path]) -> Layout:
    """The layout around one graph file.

    Args:
        graph_path: The graph to load.
        graphs: All graph files of the model.
        files: Files that may belong to it, wherever they lie, beside those in its own folders.

    Raises:
        ModelBrokenError: See `find_layout`.
    """
    graph = read_graph(graph_path)
    data_files = tuple(_check_data(graph_path, graph))
    finder = _Finder(graph_path, files)
    config = read_object(finder.find("config.json"))
    genai = finder.find(GENAI_FILE)
    kind: Kind = "genai" if genai else purpose_of(graph_path, graph, config)
    sentence = read_sentence(finder.root)
    tokenizer_config = finder.find("tokenizer_config.json")
    return Layout(
        kind=kind,
        root=finder.root,
        graph_path=graph_path,
        graph=graph,
        data_files=data_files,
        graphs=tuple(graphs),
        tokenizer=finder.find("tokenizer.json"),
        tokenizer_config=tokenizer_config,
        special_tokens_map=finder.find("special_tokens_map.json"),
        config=finder.find("config.json"),
        generation_config=finder.find("generation_config.json"),
        genai_config=genai,
        chat_template=finder.find("chat_template.jinja") or finder.find("chat_template.json"),
        sentence=sentence,
        family=str(config.get("model_type") or ""),
        max_length=_max_length(config, read_object(tokenizer_config), sentence),
        positions=_positions(config, graph),
        dimensions=whole_number(config.get("hidden_size") or config.get("dim")),
    )


def check_tokenizer(layout: Layout) -> Path:
    """The model's tokenizer.json.

    Raises:
        ModelBrokenError: It has none; says what to do.
    """
    if layout.tokenizer is None:
        raise ModelBrokenError(
            f"{layout.graph_path.name} has no tokenizer.json beside it, without which its text can't be read."
            f" Put the tokenizer.json of the model that it was made from into {layout.root}."
        )
    return layout.tokenizer


class _Finder:
    """Finds files by name: beside the graph, one folder up where that is usual, then among those named."""

    def __init__(self, graph: Path, files: Sequence[Path]) -> None:
        parent = graph.parent
        self._folders = [parent, parent.parent] if parent.name in _SUBFOLDERS else [parent]
        self._files = {path.name: path for path in reversed(files) if path.parent.name != "1_Pooling"}

    @property
    def root(self) -> Path:
        """The folder of the configuration."""
        marks = ("config.json", "tokenizer.json", "modules.json")
        upwards = reversed(self._folders)
        return next(
            (place for place in upwards if any((place / mark).is_file() for mark in marks)), self._folders[0]
        )

    def find(self, name: str) -> Path | None:
        """The file of that name."""
        beside = (folder / name for folder in self._folders if (folder / name).is_file())
        named = self._files.get(name)
        return next(beside, named if named is not None and named.is_file() else None)


def _beside(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def _check_data(path: Path, graph: Graph) -> Iterable[Path]:
    for file, size in data_paths(path, graph):
        if not file.is_file():
            raise ModelBrokenError(
                f"{path.name} keeps its weights in {file.name}, which is missing from {file.parent}. Download"
                " it into the same folder."
            )
        if file.stat().st_size < size:
            raise ModelBrokenError(
                f"{file.name} has {file.stat().st_size} bytes, and {path.name} needs {size} of it."
                " Download it again."
            )
        yield file


def _max_length(config: dict[str, Any], tokenizer: dict[str, Any], sentence: Sentence) -> int | None:
    """What the model was trained for: the least that its files say."""
    trained = whole_number(config.get("max_position_embeddings") or config.get("n_positions"))
    told = [
        trained and trained - _positions_before(config),
        whole_number(tokenizer.get("model_max_length")),
        sentence.max_length,
    ]
    return min((number for number in told if number), default=None)


def _positions(config: dict[str, Any], graph: Graph) -> int | None:
    return graph.positions and graph.positions - _positions_before(config)


def _positions_before(config: dict[str, Any]) -> int:
    """Positions that no text can use: in these families they begin behind the padding token's."""
    families = ("roberta", "xlm-roberta", "camembert", "mpnet", "xmod")
    return 2 if config.get("model_type") in families else 0
