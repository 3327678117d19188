"""The installed engines, as the library needs them: their names, formats, and what they see in files."""

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jan_host.contract.engine import Engine
from jan_host.contract.errors import ModelBrokenError
from jan_host.contract.model import Model, Source

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the engines saw in some files: models, and why files that look like models are none."""

    models: list[Model]
    problems: list[tuple[Path, str]]
    """Each file at fault, and the reason."""
    failure: str | None = None
    """Which engine failed by a mistake of its own, if one did."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why an engine gave no answer."""

    reason: str
    is_mistake: bool
    """Whether the engine is to blame, and not a file."""


class Engines:
    """The engines in the order in which the host prefers them.

    Args:
        engines: One instance of each.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = list(engines)
        self.formats = frozenset[str]().union(*(engine.formats for engine in engines))

    def get(self, name: str) -> Engine | None:
        """The engine that has this name or, alone, this alias; upper and lower case are the same."""
        wanted = name.casefold()
        for engine in self._engines:
            if engine.name.casefold() == wanted:
                return engine
        claims = [e for e in self._engines if wanted in {alias.casefold() for alias in e.aliases}]
        return claims[0] if len(claims) == 1 else None

    def canonical_name(self, name: str | None, import_format: str | None, origin: str | None = None) -> str:
        """The engine's own name.

        A name that no engine or several engines claim is decided by an import format that names
        an engine, else by an engine that accepts the origin; otherwise it stays as it is.
        """
        engine = self.get(name) if name else None
        if engine is None and import_format:
            engine = self.get(import_format)
        if engine is None and name and origin:
            engine = next((each for each in self._engines if _accepts(each, name, origin)), None)
        return engine.name if engine else name or ""

    def for_format(self, model_format: str) -> Engine | None:
        """The first engine that runs the format."""
        return next((engine for engine in self._engines if model_format in engine.formats), None)

    def canonical_format(self, name: str) -> str:
        """The format's name without a version behind it, where no engine knows it with one."""
        lowered = name.casefold()
        return lowered if lowered in self.formats else re.sub(r"v\d+$", "", lowered)

    def inspect(self, files: Sequence[Path], folder: Path) -> Finding:
        """The models among `files`; their sources are relative to `folder`.

        One bad file does not hide the others: where an engine refuses the files together, the
        bad ones are found, and it is asked about those that are left. A file that an engine
        took for a model's is no other engine's.
        """
        models: list[Model] = []
        problems: list[tuple[Path, str]] = []
        failure = None
        taken: set[Path] = set()
        for engine in self._engines if files else ():
            seen, blamed = _see(engine, files, folder)
            for file, refusal in blamed.items():
                if not refusal.is_mistake or file.suffix[1:].casefold() in engine.formats:
                    problems.append((file, refusal.reason))
                else:
                    failure = failure or refusal.reason
            new = [model for model in seen if taken.isdisjoint(model.files(folder))]
            taken.update(file for model in new for file in model.files(folder))
            models.extend(new)
        return Finding(models, [(file, reason) for file, reason in problems if file not in taken], failure)


def _accepts(engine: Engine, alias: str, origin: str) -> bool:
    """Whether an engine that goes by `alias`, among other names, takes models of the origin."""
    if alias.casefold() not in {each.casefold() for each in engine.aliases}:
        return False
    try:
        return engine.accepts(origin)
    except Exception as error:  # an engine is foreign code: whatever it raises, the model is not its own
        logger.warning("The engine %s failed to look at the origin of a model: %r", engine.name, error)
        return False


def _see(engine: Engine, files: Sequence[Path], folder: Path) -> tuple[list[Model], dict[Path, _Refusal]]:
    """The models that an engine sees, and the files that it can't be asked about."""
    models, refusal = _ask(engine, files, folder)
    if refusal is None:
        return models, {}
    if refusal.is_mistake:
        logger.warning("%s: %s", folder, refusal.reason)
    blamed = _find_bad(engine, files, folder, refusal)
    good = [file for file in files if file not in blamed]
    models, refusal = _ask(engine, good, folder) if good else ([], None)
    return models, blamed | (dict.fromkeys(good, refusal) if refusal else {})


def _find_bad(engine: Engine, files: Sequence[Path], folder: Path, refusal: _Refusal) -> dict[Path, _Refusal]:
    """The files for which the engine refuses `files`, and the reason for each."""
    bad: dict[Path, _Refusal] = {}
    if len(files) > 1:
        for part in _parts(files):
            _, reason = _ask(engine, part, folder)
            if reason:
                bad |= _find_bad(engine, part, folder, reason)
    return bad or dict.fromkeys(files, refusal)


def _parts(files: Sequence[Path]) -> list[list[Path]]:
    """Files that differ in their numbers alone stay together, as pieces of one model; else each alone."""
    series: dict[str, list[Path]] = {}
    for file in files:
        series.setdefault(re.sub(r"\d+", "#", str(file)), []).append(file)
    return list(series.values()) if len(series) > 1 else [[file] for file in files]


def _ask(engine: Engine, files: Sequence[Path], folder: Path) -> tuple[list[Model], _Refusal | None]:
    """The models that an engine sees, or the reason why it sees none."""
    try:
        return [_adopt(model, engine, files, folder) for model in engine.inspect(files)], None
    except ModelBrokenError as error:
        return [], _Refusal(error.message, is_mistake=False)
    except Exception as error:  # an engine is foreign code: whatever it raises costs these files alone
        logger.debug("The engine %s failed to inspect %s", engine.name, files, exc_info=True)
        reason = f"The engine {engine.name} failed while it looked at the files: {error!r}."
        return [], _Refusal(reason, is_mistake=True)


def _adopt(model: Model, engine: Engine, files: Sequence[Path], folder: Path) -> Model:
    """The engine's model with the host's view of where its files are."""
    common = Path(os.path.commonpath([file.parent for file in files]))
    prefix = common.relative_to(folder).as_posix()
    sources = [
        Source(filename=source.filename if prefix == "." else f"{prefix}/{source.filename}", url=source.url)
        for source in model.sources
    ]
    strange = [path for path in model.files(common) if path not in files]
    if strange or not sources:
        raise ValueError(f"it answered with a model of files that it was not asked about: {strange}")
    return msgspec.structs.replace(
        model,
        sources=sources,
        engine=engine.name,
        format=model.format or min(engine.formats, default=""),
    )
