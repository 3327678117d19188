"""From a group of files to the models that it holds."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from jan_host.contract.errors import ModelBrokenError
from jan_host.contract.model import Model, Source
from jan_host.library.documents import MODEL_FILE, Document
from jan_host.library.engines import Engines
from jan_host.library.fields import Notice
from jan_host.library.generations import Defaults, check_settings, complete_engine, read_id, read_model
from jan_host.library.groups import Group
from jan_host.library.ids import shown_id


@dataclass(slots=True, kw_only=True)
class Entry:
    """A model of the library."""

    model: Model
    folder: Path
    """What the filenames of the model's sources are relative to."""
    file: Path | None = None
    """Its model.json, by whatever name; ``None`` when it has none."""
    problem: str | None = None
    """Why the model can't be used as it lies there; ``None`` when it can, or could be fetched."""
    available: bool = False
    """Whether some or all of its files are not here, and it says where they can be fetched."""
    fault: str | None = None
    """The field of its model.json that is to blame for the problem, where one is."""
    notices: list[Notice] = field(default_factory=list)
    """What its model.json says and is not used."""
    owned: bool = True
    """Whether jan-host may change and delete it."""

    @property
    def warnings(self) -> list[str]:
        """What users should know of the model, and what does not keep it from running."""
        return [notice.text for notice in self.notices]

    @property
    def usable(self) -> bool:
        """Whether it can be started as it lies there."""
        return self.problem is None and not self.available


def build(group: Group, engines: Engines, *, owned: bool) -> list[Entry]:
    """The models of a group, broken ones included.

    Args:
        group: The files.
        engines: Who knows what the files are.
        owned: Whether they lie in the host's own folder.
    """
    entries = [_describe(group, name, document, engines) for name, document in group.documents.items()]
    _fill_in_files(entries, group, engines)
    if group.is_root or not entries:
        entries += _inspect(group, entries, engines, report_unknown=owned)
    for entry in entries:
        entry.owned = owned and not group.linked
        if entry.problem is None:
            complete_engine(entry.model, engines)
            check_settings(entry.model, engines, entry.notices)
            _find_fault(entry, engines)
    return entries


def _describe(group: Group, name: str, document: Document, engines: Engines) -> Entry:
    """The entry of a JSON file."""
    own_name = shown_id(group.path.name if name == MODEL_FILE else name.removesuffix(".json"))
    defaults = Defaults(id=own_name, name=own_name, created=group.files[name][0] // 10**9)
    entry = Entry(
        model=Model(id=own_name, name=own_name, created=defaults.created),
        folder=group.path,
        file=group.path / name,
        problem=document.problem,
    )
    if document.problem is None:
        try:
            entry.model.id = read_id(document.raw, own_name)
            entry.model, entry.notices = read_model(document.raw, defaults, engines)
        except ModelBrokenError as error:
            entry.problem, entry.fault = f"{name}: {error.message}", error.param
    return entry


def _fill_in_files(entries: Sequence[Entry], group: Group, engines: Engines) -> None:
    """Find the files of JSON files that name none: by their name, or because there is one model only."""
    lacking = [entry for entry in entries if entry.problem is None and not entry.model.sources]
    lacking = [entry for entry in lacking if not _runs_in_host(entry, engines)]
    if not lacking:
        return
    found = engines.inspect(_unclaimed(group, entries), group.path).models
    for entry in lacking:
        stem = entry.file.stem if entry.file else ""
        named = [model for model in found if Path(model.sources[0].filename).stem in (stem, entry.model.id)]
        alone = found if len(lacking) == len(found) == 1 else []
        for model in (named or alone)[:1]:
            _take_over(entry.model, model)


def _take_over(model: Model, inspected: Model) -> None:
    """Let what an engine read in the files complete what a JSON file says."""
    model.sources = inspected.sources
    model.format = model.format or inspected.format
    model.engine = model.engine or inspected.engine
    model.settings = inspected.settings | model.settings
    model.parameters = inspected.parameters | model.parameters
    model.metadata = inspected.metadata | model.metadata


def _inspect(
    group: Group, entries: Sequence[Entry], engines: Engines, *, report_unknown: bool
) -> list[Entry]:
    """The models of files that no JSON file describes."""
    files = _unclaimed(group, entries)
    finding = engines.inspect(files, group.path)
    by_folder = group.is_whole and len(finding.models) + len(finding.problems) == 1
    found = [_adopt(model, group, by_folder=by_folder) for model in finding.models]
    found += [_broken(group, file, reason) for file, reason in finding.problems]
    if found or not group.is_whole or not report_unknown:
        return found
    names = ", ".join(list(group.files)[:3])
    unknown = f"No installed engine knows the files of this folder ({names})."
    return [_broken(group, None, group.problem or finding.failure or unknown)]


def _adopt(model: Model, group: Group, *, by_folder: bool) -> Entry:
    first = Path(model.sources[0].filename)
    times = [group.files[source.filename][0] for source in model.sources if source.filename in group.files]
    own_id = shown_id(group.path.name if by_folder else model.id or first.stem)
    adopted = msgspec.structs.replace(
        model, id=own_id, name=model.name or own_id, created=model.created or max(times, default=0) // 10**9
    )
    return Entry(model=adopted, folder=group.path)


def _broken(group: Group, file: Path | None, reason: str) -> Entry:
    name = shown_id(file.stem if file and not _is_alone(group) else group.path.name)
    seconds = next(iter(group.files.values()), (0, 0))[0] // 10**9
    model = Model(id=name, name=name, created=seconds)
    return Entry(model=model, folder=group.path, problem=reason)


def _is_alone(group: Group) -> bool:
    return group.is_whole and len(group.files) == 1


def _unclaimed(group: Group, entries: Sequence[Entry]) -> list[Path]:
    """The group's files without JSON files of models, and without what these name as theirs."""
    taken = {source.filename for entry in entries for source in entry.model.sources}
    return [group.path / name for name in group.files if name not in taken and name not in group.documents]


def _runs_in_host(entry: Entry, engines: Engines) -> bool:
    engine = engines.get(entry.model.engine)
    return engine is not None and engine.runs_in == "host"


def _find_fault(entry: Entry, engines: Engines) -> None:
    """Note what stands against starting the model, as far as names and files tell."""
    model = entry.model
    engine = engines.get(model.engine)
    if model.engine and engine is None:
        return  # an engine that is not installed is reported, with its cure, when the model starts
    if engine is not None and engine.runs_in == "host":
        return
    if engine is None and (model.format or not model.origin):
        entry.problem, entry.fault = _without_engine(model), "format" if model.format else None
        return
    try:
        missing = _missing(model, entry.folder)
    except ModelBrokenError as error:
        entry.problem, entry.fault = error.message, error.param
        return
    entry.available = bool(missing or not model.sources) and _is_fetchable(model, missing)
    if not entry.available:
        entry.problem = _without_files(model, missing, entry.folder)
        entry.fault = "sources" if missing else None
    elif 0 < len(missing) < len(model.sources):
        # A copy that goes on, or one that was broken off: the files tell no difference.
        text = (
            f"Of the model's {len(model.sources)} files {len(missing)} are not here, such as"
            f" {missing[0].filename}. Copy them to {entry.folder}, or fetch them: jan-host pull {model.id}"
        )
        entry.notices.append(Notice("sources", text, is_used=True))


def _missing(model: Model, folder: Path) -> list[Source]:
    """The sources whose files are not there.

    Raises:
        ModelBrokenError: A filename leaves the folder.
    """
    files = model.files(folder)
    return [source for source, file in zip(model.sources, files, strict=True) if not os.path.isfile(file)]


def _is_fetchable(model: Model, missing: Sequence[Source]) -> bool:
    """Whether the model says where the missing files come from. What it linked to, nobody can fetch."""
    schemes = {urlsplit(source.url).scheme for source in missing}
    if "file" in schemes:
        return False
    return bool(model.origin) or (bool(missing) and schemes <= {"http", "https"})


def _without_files(model: Model, missing: Sequence[Source], folder: Path) -> str | None:
    if missing and missing[0].url.startswith("file:"):
        return f"The file {missing[0].url}, which the model uses in place, is missing. Is its disk mounted?"
    if missing:
        return f"The file {missing[0].filename} is missing from {folder}. Put it there."
    if not model.sources:
        return "It names no files, and no installed engine knows the files beside it. Add them to sources."
    return None


def _without_engine(model: Model) -> str:
    if model.format:
        return f"No installed engine runs the format {model.format!r}. See: jan-host plugins"
    return "It names no engine, and none knows the files beside it. Add the field engine or sources."


def linked_files(entry: Entry) -> list[Path]:
    """The files that the model uses in place, outside its folder."""
    if not any(source.url.startswith("file:") for source in entry.model.sources):
        return []
    try:
        files = entry.model.files(entry.folder)
    except ModelBrokenError:
        return []
    return [
        file
        for source, file in zip(entry.model.sources, files, strict=True)
        if source.url.startswith("file:")
    ]
