"""The importers: each knows one program's folders, and copies out of them what a pull names."""

import os
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from jan_host import (
    Asset,
    Discovery,
    ForbiddenError,
    Importer,
    ImportOptions,
    ImportPlan,
    Model,
    OriginNotFoundError,
    Source,
)


class Cache(Importer):
    """A program's own models. They are named in full: ``NAME:MODEL``."""

    @abstractmethod
    def discover(self) -> Iterable[Discovery]:
        """The models of the program."""

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """Plan to copy one of the program's models.

        Raises:
            ForbiddenError: The one who asks may not name files of this machine.
            OriginNotFoundError: The program has no such model.
        """
        if not options.local_paths:
            raise ForbiddenError(
                "Models of other programs are imported only for users of this machine. Run `jan-host pull`"
                " there, or let the operator set [downloads] local_paths = true."
            )
        there = list(self.discover())
        found = next((each for each in there if each.name.casefold() == origin.casefold()), None)
        if found is None:
            names = ", ".join(each.name for each in there[:10]) or "none"
            raise OriginNotFoundError(
                f"{self.name} has no model {origin[:200]!r}. It has: {names}.", param="origin"
            )
        if options.variant is not None:
            raise OriginNotFoundError(f"{found.name} has no variants.", param="variant")
        return self._plan(found, options)

    def _plan(self, found: Discovery, options: ImportOptions) -> ImportPlan:
        assets = [
            Asset(filename=name, path=path.resolve(), size=path.stat().st_size)
            for name, path in found.files.items()
        ]
        main = max(assets, key=lambda asset: asset.size or 0).filename
        assets.sort(key=lambda asset: asset.filename != main)
        origin = f"{self.name}:{found.name}"
        model = Model(
            id=options.id or found.id or main.rpartition("/")[2].rpartition(".")[0],
            name=found.name,
            format=main.rpartition(".")[2].lower(),
            sources=[Source(filename=asset.filename) for asset in assets],
            settings=dict(found.settings),
            parameters=dict(found.parameters),
            metadata={"size": sum(asset.size or 0 for asset in assets)},
            origin=origin,
            import_format=self.name,
        )
        return ImportPlan(origin=origin, importer=self.name, model=model, assets=assets)


class HubCache(Cache):
    """What Hugging Face's libraries have downloaded."""

    name: ClassVar[str] = "hf-cache"

    def discover(self) -> Iterable[Discovery]:
        """The newest revision of each repository that has model files."""
        from jan_host_caches.hub import repositories  # commands that look for nothing do without

        return repositories(os.environ, Path.home())


class LMStudio(Cache):
    """What LM Studio has downloaded."""

    name: ClassVar[str] = "lm-studio"

    def discover(self) -> Iterable[Discovery]:
        """The models of its folder of models."""
        from jan_host_caches.lmstudio import models

        return models(Path.home())


class Ollama(Cache):
    """What Ollama has pulled or created."""

    name: ClassVar[str] = "ollama"

    def discover(self) -> Iterable[Discovery]:
        """A model for each tag."""
        from jan_host_caches.ollama import models

        return models(os.environ, Path.home())


class Jan(Cache):
    """What Jan has downloaded or imported."""

    name: ClassVar[str] = "jan"

    def discover(self) -> Iterable[Discovery]:
        """The models of all its generations."""
        from jan_host_caches.jan import models

        return models(os.environ, Path.home())
