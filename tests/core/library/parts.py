"""Real, tiny engines and helpers that the library's tests share."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from jan_host import Engine, LoadedModel, Model, ModelBrokenError, Place, Source
from jan_host.library import Entry, Library

SEEDS = Path(__file__).parent / "seeds"
MAGIC = b"GGUF"


class NativeSettings(msgspec.Struct, kw_only=True):
    ctx_len: int = 2048
    ngl: int = 0
    embedding: bool = False
    n_parallel: int = 1
    prompt_template: str | None = None
    system_prompt: str | None = None


class TinyEngine(Engine):
    async def load(self, *_: Any) -> LoadedModel:
        raise NotImplementedError


class Native(TinyEngine):
    """Reads files that begin with a magic word; a projector is no model."""

    name = "llama.cpp"
    aliases = frozenset({"nitro", "llamacpp", "llama-cpp"})
    formats = frozenset({"gguf"})
    Settings = NativeSettings

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        self.asked.append([file.name for file in files])
        common = Path(os.path.commonpath([file.parent for file in files]))
        return [self._read(file, common) for file in files if file.suffix in (".gguf", ".bin")]

    def _read(self, file: Path, common: Path) -> Model:
        content = file.read_bytes()
        if not content.startswith(MAGIC):
            raise ModelBrokenError(f"{file.name} does not begin as a GGUF file does.")
        return Model(
            id=file.stem,
            sources=[Source(filename=file.relative_to(common).as_posix())],
            parameters={"max_tokens": len(content)},
            metadata={"architecture": "tiny"},
        )


class RemoteSettings(msgspec.Struct, kw_only=True):
    api_key: str = ""
    api_version: str = ""


class Remote(TinyEngine):
    name = "openai"
    aliases = frozenset({"api"})
    formats = frozenset({"api"})
    runs_in: ClassVar[Place] = "host"
    Settings = RemoteSettings


class AzureRemote(Remote):
    name = "azure_openai"


class Raising(TinyEngine):
    """An engine with a mistake in it."""

    name = "raising"
    formats = frozenset({"xyz"})

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        raise ZeroDivisionError("a mistake")


class House:
    """A root folder and the library on it."""

    def __init__(self, root: Path, *engines: Engine, folders: Sequence[Path] = ()) -> None:
        self.models = root / "models"
        self.models.mkdir(parents=True, exist_ok=True)
        self.library = Library(
            models_folder=self.models,
            folders=folders,
            engines_folder=root / "engines",
            engines=engines or (Native(), Remote(), AzureRemote()),
        )

    def put(self, name: str, content: str | bytes | dict[str, Any] = MAGIC) -> Path:
        """Write a file below the models folder."""
        file = self.models / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            content = json.dumps(content)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def look(self) -> dict[str, Entry]:
        """All entries by id, after a refresh."""
        self.library.refresh()
        return {entry.model.id: entry for entry in self.library.entries()}

    def only(self) -> Entry:
        """The one entry that there is."""
        (entry,) = self.look().values()
        return entry
