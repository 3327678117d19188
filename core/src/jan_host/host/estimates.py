"""What a model that is not here yet would need: its own engine reckons, from the beginning of its file."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from jan_host.contract.engine import Engine, Footprint
from jan_host.contract.errors import EngineError, ImportFailedError, JanHostError
from jan_host.contract.importer import Asset, fetch_size
from jan_host.contract.model import Model
from jan_host.downloads.looking import Looker
from jan_host.host.launches import engine_of
from jan_host.host.outlines import Outline
from jan_host.host.settings import merged
from jan_host.library import Library
from jan_host.plugins import Plugins
from jan_host.runtime.footprints import with_worker
from jan_host.runtime.loading import decode_settings

STEPS = (1 << 20, 8 << 20, 32 << 20)
"""So many bytes of a file are read, each more only where the engine could not do with the less."""
MOST_HEADS = 4
"""Of how many different models one plan reads the beginning."""
SMALL_BYTES = 64 << 10
MOST_SMALL = 8
"""So many files of at most that size are read whole: an architecture may stand in one."""

# What the names of one model's variants differ in: its number format, and which part of it a file is.
_VARIETY = re.compile(
    r"[-_.](?:(?:ud[-_])?(?:i?q|u?int|b?fp?|w|nf|mxfp)\d\w*|quantized|\d{5}-of-\d{5})(?=[-_.]|$)",
    re.IGNORECASE,
)


class Estimates:
    """The estimates of one plan. Variants of one model share what one of them needs beside its weights.

    Args:
        plugins: Whose engines are asked.
        library: For the engines' base settings.
        looker: Reads the files' beginnings.
    """

    def __init__(self, plugins: Plugins, library: Library, looker: Looker) -> None:
        self._plugins = plugins
        self._library = library
        self._looker = looker
        self._extras: dict[tuple[str, str], asyncio.Task[_Extra]] = {}

    async def estimate(self, model: Model, assets: Sequence[Asset]) -> Footprint:
        """The memory that the model would need with its engine's default settings.

        Raises:
            JanHostError: Nobody can tell; says why.
        """
        engine = engine_of(model, self._plugins)
        if engine.runs_in == "host" or not assets:
            return with_worker(engine, await _ask(engine, model, None, self._settings(engine, model)))
        if assets[0].member is not None or assets[0].parts:
            raise ImportFailedError("What lies in an archive, or comes in parts, is not looked into.")
        weights = _weights(assets)
        key = (engine.name, _VARIETY.sub("", assets[0].member or assets[0].filename))
        if key not in self._extras:
            if len(self._extras) == MOST_HEADS:
                raise ImportFailedError("There are too many different models to look into each of them.")
            self._extras[key] = asyncio.create_task(self._extra(engine, model, assets))
        extra = await asyncio.shield(self._extras[key])
        return with_worker(engine, extra.over(weights))

    async def close(self) -> None:
        """End what is still being read."""
        for task in self._extras.values():
            task.cancel()
        await asyncio.gather(*self._extras.values(), return_exceptions=True)

    def _settings(self, engine: Engine, model: Model) -> Any:
        layers = merged(engine, self._library.engine_defaults(engine.name), model.settings)
        return decode_settings(engine, layers)

    async def _extra(self, engine: Engine, model: Model, assets: Sequence[Asset]) -> "_Extra":
        """What the model needs beside its weights, by more and more of its first file."""
        settings, weights = self._settings(engine, model), _weights(assets)
        try:
            with await asyncio.to_thread(Outline, model, assets) as outline:
                await self._fill_small(outline, assets[1:])
                extra = _Extra(Footprint(ram=weights), weights)
                async for beginning in self._beginnings(assets[0]):
                    if beginning:
                        outline.fill(assets[0], beginning)
                    extra = _Extra(await _ask(engine, outline.model, outline.folder, settings), weights)
                    if extra.is_known:
                        break
                return extra
        except OSError as error:
            raise ImportFailedError(f"The beginning of the model can't be kept: {error.strerror}.") from None

    async def _fill_small(self, outline: Outline, assets: Sequence[Asset]) -> None:
        small = [asset for asset in assets if asset.url and not asset.member and asset.size is not None]
        small = [asset for asset in small if 0 < (asset.size or 0) <= SMALL_BYTES][:MOST_SMALL]
        contents = await asyncio.gather(*(self._looker.read(asset, 0, SMALL_BYTES) for asset in small))
        for asset, content in zip(small, contents, strict=True):
            outline.fill(asset, content)

    async def _beginnings(self, asset: Asset) -> AsyncIterator[bytes]:
        """More and more of a file's first bytes, until there are no more or they are enough for anyone."""
        if asset.path is not None:
            yield b""  # it is here, and whole
            return
        beginning = b""
        for step in STEPS:
            beginning += await self._looker.read(asset, len(beginning), step - len(beginning))
            yield beginning
            if len(beginning) < step:
                return


class _Extra(msgspec.Struct, frozen=True):
    """What a model needs beside its weights, so that its other variants can be reckoned with."""

    whole: Footprint
    """Of the variant that was looked into."""
    weights: int
    """Bytes of its files."""

    @property
    def is_known(self) -> bool:
        """Whether the engine found more than the files' sizes."""
        return self.whole.ram + self.whole.device > self.weights

    def over(self, weights: int) -> Footprint:
        """The need of a variant with so many bytes of weights: the same, on the same devices."""
        whole = self.whole
        total = max(1, whole.ram + whole.device)
        difference = weights - self.weights
        on_device = round(difference * whole.device / total)
        return Footprint(
            ram=max(0, whole.ram + difference - on_device),
            device=max(0, whole.device + on_device),
            context=whole.context,
        )


def _weights(assets: Sequence[Asset]) -> int:
    size = fetch_size(assets)
    if size is None:
        raise ImportFailedError("Nobody tells how large the model's files are.")
    return size


async def _ask(engine: Engine, model: Model, folder: Path | None, settings: Any) -> Footprint:
    try:
        return await asyncio.to_thread(engine.estimate, model, folder, settings)
    except JanHostError:
        raise
    except Exception as error:  # a plugin may raise anything; it costs this estimate alone
        raise EngineError(
            f"The engine {engine.name!r} failed to estimate {model.id!r}: {type(error).__name__}: {error}"
        ) from error
