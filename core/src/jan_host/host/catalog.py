"""The models as users see them, of a library of any size."""

from collections.abc import Sequence
from typing import NamedTuple

from jan_host.contract.model import ModelInfo
from jan_host.downloads import Downloads
from jan_host.host.describing import describe, describe_download
from jan_host.host.launches import Launches
from jan_host.library import Entry, Library
from jan_host.plugins import Plugins
from jan_host.runtime import Runtime, RuntimeStatus

AT_REST = RuntimeStatus()


class _Resting(NamedTuple):
    """The library's entries, what users see of each as long as nothing runs, and where each one is."""

    entries: Sequence[Entry]
    infos: Sequence[ModelInfo]
    places: dict[str, int]


class Catalog:
    """Describes each model once, until its files change; those that do something, each time.

    Args:
        library: What is on disk.
        runtime: What is in memory.
        downloads: What is on its way.
        plugins: Who knows which settings are secrets.
        launches: How each model would start now.
    """

    def __init__(
        self,
        library: Library,
        runtime: Runtime,
        downloads: Downloads,
        plugins: Plugins,
        launches: Launches,
    ) -> None:
        self._library = library
        self._runtime = runtime
        self._downloads = downloads
        self._plugins = plugins
        self._launches = launches
        self._resting = _Resting((), (), {})

    def prepare(self) -> None:
        """Describe what the library found last; may be called in any thread, before anyone asks."""
        entries = self._library.entries()
        before = self._resting
        if entries is before.entries:
            return
        known = dict(
            zip(map(id, before.entries), before.infos, strict=True)
        )  # `before` keeps the entries alive
        infos = [known.get(id(entry)) or self.describe(entry, AT_REST) for entry in entries]
        places = {entry.model.id: place for place, entry in enumerate(entries)}
        self._resting = _Resting(entries, infos, places)

    def infos(self) -> Sequence[ModelInfo]:
        """All models, sorted by id, those being downloaded included.

        What did not change since the last call is the same object. Nothing in it may be changed.
        """
        self.prepare()
        entries, infos, places = self._resting
        coming = {info.model: info for info in self._downloads.list() if info.active}
        busy = self._runtime.known().union(coming)
        if not busy:
            return infos
        shown = list(infos)
        for model_id in busy.intersection(places):
            place = places[model_id]
            status = self._runtime.status(model_id)
            shown[place] = self.describe(entries[place], status, downloading=model_id in coming)
        new = [describe_download(coming[model_id]) for model_id in coming.keys() - places.keys()]
        return sorted([*shown, *new], key=lambda info: info.id) if new else shown

    def describe(self, entry: Entry, status: RuntimeStatus, *, downloading: bool = False) -> ModelInfo:
        """One model."""
        info = describe(entry, status=status, downloading=downloading, plugins=self._plugins)
        if status.settings is not None and not self._launches.is_current(entry, status.settings):
            info.warnings.append("Its settings were changed since it was started: stop it to use them.")
        return info
