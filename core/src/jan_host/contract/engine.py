"""Engines: what loads a model, and what a loaded model can do.

An engine's author writes an `Engine` and a `LoadedModel` with some of the capability
protocols. Worker processes, queues, start on request, HTTP, streaming and errors come from
the host.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec

from jan_host.contract.chat import ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.generation import Delta
from jan_host.contract.model import Model
from jan_host.contract.vectors import (
    EmbeddingRequest,
    EmbeddingResult,
    RerankRequest,
    RerankResult,
)

Place = Literal["worker", "host"]
"""Where an engine's code runs: in a process of its own, or in the host's."""

Progress = Callable[[float], None]
"""Told how much of a load is done, from 0 to 1. Cheap, and may be called from any thread."""


class NoSettings(msgspec.Struct, kw_only=True):
    """The settings of an engine that has none."""


class Footprint(msgspec.Struct, kw_only=True):
    """The memory that a model needs while it runs, in bytes."""

    ram: int = 0
    device: int = 0
    """Memory of accelerators, over all of them."""
    context: int | None = None
    """The tokens of context that this is for, where they count and are known."""


class LoadedModel(ABC):
    """A model in memory. Its capabilities are the protocols below that it has the methods of.

    All methods are called on one event loop. Several requests run at the same time.
    """

    @abstractmethod
    async def unload(self) -> None:
        """Free everything. No request is running, and none will come."""


@runtime_checkable
class Chats(Protocol):
    """Can answer a conversation."""

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Generate; an error is raised by the first step. Closing the iterator cancels the work."""
        ...


@runtime_checkable
class Completes(Protocol):
    """Can continue a text."""

    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Generate, as `Chats.chat` does. `request.prompt` is one string or one list of token ids."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """Can turn texts into vectors."""

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector for each input; a vector does not depend on the other inputs."""
        ...


@runtime_checkable
class Reranks(Protocol):
    """Can score documents against a query."""

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """One score for each document."""
        ...


@runtime_checkable
class Tokenizes(Protocol):
    """Can turn text into token ids and back."""

    async def tokenize(self, text: str) -> list[int]:
        """The ids of the text's tokens. Text stays text: control tokens in it are not read as such."""
        ...

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of the tokens, control tokens written out.

        Raises:
            InvalidRequestError: An id that the model's vocabulary does not have.
        """
        ...


@runtime_checkable
class SharesCores(Protocol):
    """Computes on the processor, and can change while it runs on how many of its cores.

    Nothing that users ask for, and so none of the capabilities below. The host shares the cores out
    among the workers whose models compute at the same time; it tells each that has this method.
    """

    def use_cores(self, count: int | None) -> None:
        """Compute on at most so many cores, from the next step on; the requests that run go on.

        It returns at once.

        Args:
            count: At least 1. ``None``: no other model computes, so the model's own settings count alone.
        """
        ...


@runtime_checkable
class Sees(Protocol):
    """Can read images in conversations: what `Chats.chat` gets may have them, always as data URLs."""

    async def image_tokens(self, url: str) -> int:
        """How many tokens of a prompt an image takes, those that the model wants around it included.

        Args:
            url: A data URL, such as ``data:image/png;base64,...``

        Raises:
            InvalidRequestError: It is no image that can be decoded.
        """
        ...


CAPABILITIES: Mapping[str, type] = {
    "chat": Chats,
    "complete": Completes,
    "embed": Embeds,
    "rerank": Reranks,
    "tokenize": Tokenizes,
    "vision": Sees,
}
"""Each capability's name, as users see it, and its protocol."""


def capabilities_of(model: object) -> list[str]:
    """The names of the capabilities that a loaded model has, in the order of `CAPABILITIES`."""
    return [name for name, protocol in CAPABILITIES.items() if isinstance(model, protocol)]


class Engine(ABC):
    """Runs models of certain formats. One instance lives in the host, one in each worker.

    The host calls `inspect` and `estimate`, so these must not load native code; `load` is
    called in the place that `runs_in` names.
    """

    name: ClassVar[str]
    """What the ``engine`` field of a model.json says."""
    aliases: ClassVar[frozenset[str]] = frozenset()
    """Other names that model.json files use for it."""
    formats: ClassVar[frozenset[str]] = frozenset()
    """The values of the ``format`` field that it can run, such as ``{"safetensors"}``."""
    runs_in: ClassVar[Place] = "worker"
    Settings: ClassVar[type[msgspec.Struct]] = NoSettings
    """The load settings, decoded from the layers of ``settings``; every field has a default."""
    environment: ClassVar[Mapping[str, str]] = {}
    """Variables that its workers' environment must set, beside the few that every worker gets."""

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        """The models among `files`, which have no model.json.

        Args:
            files: All files of one folder (and below), or one file dropped beside others.

        Returns:
            Models whose `sources` name files of `files`, relative to their common folder, with
            what their headers tell: name, format, metadata, parameters. The host fills in the rest.

        Raises:
            ModelBrokenError: A file that should be this engine's, and can't be read; says why.
        """
        return ()

    def estimate(self, model: Model, folder: Path | None, settings: Any) -> Footprint:
        """The memory that the model will need with these `settings` (an instance of `Settings`).

        Args:
            model: The model.
            folder: Where its files are, or ``None`` when it is not downloaded yet.
            settings: An instance of `Settings`.

        Returns:
            The weights, caches and room to compute in, with the engine's own libraries where they are
            large. The worker process itself is counted by the host.
        """
        size = sum(path.stat().st_size for path in model.files(folder) if path.is_file()) if folder else 0
        return Footprint(ram=size or int(model.metadata.get("size") or 0))

    def accepts(self, origin: str) -> bool:
        """Whether models of this origin are this engine's, by the text alone.

        It decides where a model.json names an engine by an alias that several engines have.
        """
        return False

    @abstractmethod
    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        """Bring the model into memory, ready for requests.

        Args:
            model: The model; `model.files(folder)` are its files.
            folder: The folder of its model.json.
            settings: An instance of `Settings`.
            progress: Call it with 0 to 1 as the load goes on.

        Raises:
            ModelLoadError: With the reason, in words for the user.
        """
