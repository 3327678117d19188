"""Which of several variants of a model is taken, and why: for authors of importers.

The need of a variant is its engine's own estimate. Where there is none, the size of its files stands
in, with half as much again for the context and for computing, and 2.5 GB at most: what Jan's catalogue
added to models of some gigabytes.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import msgspec

from jan_host.contract.engine import Footprint
from jan_host.contract.errors import JanHostError, OriginNotFoundError
from jan_host.contract.importer import MEMORY_SHARE, Asset, ImportOptions, Variant, fetch_size
from jan_host.contract.model import Model
from jan_host.contract.quantities import bytes_in_words

MOST_OVERHEAD_BYTES = 2_500_000_000
MOST_NAMES = 20
"""How many variants an error lists."""


class Offer(msgspec.Struct, kw_only=True):
    """One of the forms in which an origin has a model."""

    name: str
    """What a user writes to get it, such as the quantization."""
    model: Model
    """The model.json that this variant would have."""
    assets: list[Asset]
    description: str | None = None
    quality: float | None = None
    """Higher is better, on any scale; ``None``: the larger, the better."""


class Choice(msgspec.Struct):
    """The offer that is taken, and what a plan says of it and of the others."""

    offer: Offer
    variants: list[Variant]
    """All offers, in their order."""
    reason: str | None
    warnings: list[str]


async def choose(
    offers: Sequence[Offer], options: ImportOptions, *, wanted: str | None = None, default: str | None = None
) -> Choice:
    """Take one of several offers.

    What the user named comes first. Else it is what the source recommends, if that fits into this
    machine's memory; else the best that fits; else the smallest, with a warning.

    Args:
        offers: At least one, each with a name of its own.
        options: As the importer got them.
        wanted: What the user named: a variant's name or the name of its file, in capitals or not.
            ``None``: `options.variant`.
        default: The variant that the source itself recommends, if it does.

    Raises:
        OriginNotFoundError: There is no such offer, or several could be meant; lists what there is.
    """
    wanted = options.variant if wanted is None else wanted
    named = None if wanted is None else _named(offers, wanted)
    variants = list(await asyncio.gather(*(_variant(offer, options) for offer in offers)))
    if named is None and len(offers) == 1:
        return _taken(offers[0], offers, variants, None, options)
    if named is not None:
        reason = f"{named.name}: you named it." if len(offers) > 1 else None
        return _taken(named, offers, variants, reason, options)
    by_name = {variant.name: variant for variant in variants}
    recommended = _matching(offers, default) if default is not None else []
    if len(recommended) == 1 and by_name[recommended[0].name].fits is not False:
        name = recommended[0].name
        reason = f"{name}: what its publisher recommends{_clause(by_name[name], options)}."
        return _taken(recommended[0], offers, variants, reason, options)
    return _best(offers, variants, options)


def _best(offers: Sequence[Offer], variants: list[Variant], options: ImportOptions) -> Choice:
    """The best that fits, else the smallest, since none fits."""
    by_name = {variant.name: variant for variant in variants}
    smallest = min(offers, key=lambda offer: (_weight(offer) or 0, -(offer.quality or 0.0)))
    fitting = [offer for offer in offers if by_name[offer.name].fits]
    if fitting:
        best = max(fitting, key=_rank)
        reason = f"{best.name}: the best{_clause(by_name[best.name], options, 'whose')}."
        return _taken(best, offers, variants, reason, options)
    if all(variant.fits is None for variant in variants):
        reason = f"{smallest.name}: the smallest, since nobody knows here how much memory they may use."
    else:
        reason = f"{smallest.name}: the smallest, since none fits."
    return _taken(smallest, offers, variants, reason, options)


def _taken(
    offer: Offer, offers: Sequence[Offer], variants: list[Variant], reason: str | None, options: ImportOptions
) -> Choice:
    """The choice of an offer, with a warning when it does not fit."""
    variant = next(variant for variant in variants if variant.name == offer.name)
    warnings = []
    if variant.fits is False and variant.footprint is not None:
        none = "None of the variants fits into this machine's memory: " if len(offers) > 1 else ""
        others = any(other.fits for other in variants)
        warnings.append(
            f"{'' if others else none}{offer.name} needs {_need(variant.footprint)}, which is more than"
            f" {_share(options)}."
        )
    return Choice(offer, variants, reason, warnings)


def _clause(variant: Variant, options: ImportOptions, word: str = "its") -> str:
    """How the need compares with the memory, behind a name: empty where one of them is unknown."""
    if variant.footprint is None or not options.memory:
        return ""
    link = " whose need" if word == "whose" else "; its need"
    return f"{link}, {_need(variant.footprint)}, stays under {_share(options)}"


def _need(footprint: Footprint) -> str:
    amount = bytes_in_words(footprint.ram + footprint.device)
    if footprint.context:
        return f"{amount} at {footprint.context:,} tokens of context"
    return f"about {amount}"


def _share(options: ImportOptions) -> str:
    if options.memory_is_set:
        return f"the {bytes_in_words(options.memory)} that [runtime] memory_bytes gives to models"
    whole = bytes_in_words(round(options.memory / MEMORY_SHARE))
    return f"{round(100 * MEMORY_SHARE)} % of this machine's {whole}"


def _rank(offer: Offer) -> tuple[float, int]:
    """The better, the higher; offers without a quality are below those with one."""
    return (float("-inf") if offer.quality is None else offer.quality, _weight(offer) or 0)


def _weight(offer: Offer) -> int | None:
    """Bytes of the model itself, which is less than what is fetched when that is an archive."""
    size = offer.model.metadata.get("size")
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    return fetch_size(offer.assets)


async def _variant(offer: Offer, options: ImportOptions) -> Variant:
    footprint = await _footprint(offer, options)
    need = footprint.ram + footprint.device if footprint is not None else None
    return Variant(
        name=offer.name,
        size=fetch_size(offer.assets),
        description=offer.description,
        footprint=footprint,
        fits=need <= options.memory if need is not None and options.memory else None,
    )


async def _footprint(offer: Offer, options: ImportOptions) -> Footprint | None:
    if options.estimate is not None:
        with contextlib.suppress(JanHostError):  # nobody can tell: no such engine, a file out of reach
            return await options.estimate(offer.model, offer.assets)
    weight = _weight(offer)
    return Footprint(ram=weight + min(weight // 2, MOST_OVERHEAD_BYTES)) if weight else None


def _named(offers: Sequence[Offer], wanted: str) -> Offer:
    found = _matching(offers, wanted)
    if len(found) == 1:
        return found[0]
    names = [offer.name for offer in found or offers]
    listed = ", ".join(names[:MOST_NAMES])
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    if found:
        raise OriginNotFoundError(
            f"{wanted[:200]!r} could be several variants. Name one of: {listed}{more}.", param="variant"
        )
    raise OriginNotFoundError(
        f"There is no variant {wanted[:200]!r} at this origin. There are: {listed}{more}.", param="variant"
    )


def _matching(offers: Sequence[Offer], wanted: str) -> list[Offer]:
    """The offers of that name; else of that name but for capitals; else with a file of that name."""
    lower = wanted.lower()
    rules: list[Callable[[Offer], bool]] = [
        lambda offer: offer.name == wanted,
        lambda offer: offer.name.lower() == lower,
        lambda offer: any(lower in _names(asset) for asset in offer.assets[:1]),
    ]
    for rule in rules:
        found = [offer for offer in offers if rule(offer)]
        if found:
            return found
    return []


def _names(asset: Asset) -> set[str]:
    """What a user may call a file: its path, its last part, that without the suffix."""
    path = PurePosixPath((asset.member or asset.filename).lower())
    return {str(path), asset.filename.lower(), path.name, path.stem}
