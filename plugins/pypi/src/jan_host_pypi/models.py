"""The model.json of a model in a wheel."""

import re
from typing import Any

from jan_host import Model, Source

from jan_host_pypi.candidates import Candidate
from jan_host_pypi.pip import Wheel
from jan_host_pypi.reference import SCHEME

_LICENSE = re.compile(r"License :: (?:OSI Approved :: )?(?P<name>.+)")
_GENERIC = re.compile(r"model(?:[-_.](?P<rest>.+))?", re.IGNORECASE)


def describe(candidate: Candidate, wheel: Wheel) -> Model:
    """What the wheel's metadata tells of a model. No address of an index stands in it."""
    stem = _stem(candidate.stem, wheel.name)
    origin = f"{SCHEME}:{wheel.reference}"
    return Model(
        id=re.sub(r"[^\w.-]+", "-", stem).strip("-.") or wheel.name,
        name=stem,
        description=wheel.metadata.get("summary") or None,
        format=candidate.format,
        sources=[
            Source(filename=filename, url=f"{origin}/{member}")
            for filename, member in zip(candidate.filenames, candidate.members, strict=True)
        ],
        metadata=_metadata(candidate, wheel.metadata),
        origin=origin,
        import_format=SCHEME,
    )


def _stem(stem: str, package: str) -> str:
    """The file's stem, or the package's name where the file is just called "model"."""
    generic = _GENERIC.fullmatch(stem)
    if generic is None:
        return stem
    return f"{package}-{generic['rest']}" if generic["rest"] else package


def _metadata(candidate: Candidate, told: dict[str, Any]) -> dict[str, Any]:
    author = told.get("author") or told.get("author_email") or told.get("maintainer")
    keywords = told.get("keywords") or []
    tags = re.split(r"[,\s]+", keywords) if isinstance(keywords, str) else [str(word) for word in keywords]
    found = {
        "author": re.sub(r"\s*<[^>]*>", "", author) if author else None,
        "license": _license(told),
        "size": candidate.size,
        "tags": [tag for tag in tags if tag],
    }
    return {key: value for key, value in found.items() if value}


def _license(told: dict[str, Any]) -> str | None:
    """The license's name; some packages give its whole text, which is not taken."""
    for field in ("license_expression", "license"):
        text = (told.get(field) or "").strip()
        if text and len(text) <= 100 and "\n" not in text:
            return str(text)
    matches = filter(None, map(_LICENSE.fullmatch, told.get("classifier") or []))
    return next((match["name"] for match in matches), None)
