"""Which plugins are installed: the entry points of the group, and whose they are.

`importlib_metadata.entry_points` gives up when one distribution of the environment has damaged
metadata; here each distribution is read on its own.
"""

from dataclasses import dataclass

from importlib_metadata import Distribution
from packaging.utils import canonicalize_name

from jan_host.hooks import PROJECT

UNKNOWN = "unknown"
"""Stands for a name or version that damaged metadata does not give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An entry point that may become a plugin."""

    name: str
    value: str
    distribution: str
    version: str
    damage: str | None = None
    """Why the metadata of the distribution can't be used; `value` is empty then."""


def discover() -> list[Candidate]:
    """The entry points of all distributions, sorted by distribution, then by name.

    A distribution that stands on ``sys.path`` twice counts once: the first one, as for an import.
    """
    found: dict[str, list[Candidate]] = {}
    for distribution in Distribution.discover():
        if not _mentions_plugins(distribution):
            continue
        name = _name(distribution)
        key = canonicalize_name(name)
        if key not in found:
            found[key] = _candidates(distribution, name)
    return [
        candidate for key in sorted(found) for candidate in sorted(found[key], key=lambda each: each.name)
    ]


def _mentions_plugins(distribution: Distribution) -> bool:
    """Whether it has entry points of the group; one that can't be read may have."""
    try:
        return f"[{PROJECT}]" in (distribution.read_text("entry_points.txt") or "")
    except Exception:  # foreign metadata, read by foreign finders: anything may be wrong with it
        return True


def _name(distribution: Distribution) -> str:
    try:
        return distribution.name or UNKNOWN
    except Exception:  # as in _mentions_plugins
        return UNKNOWN


def _candidates(distribution: Distribution, name: str) -> list[Candidate]:
    version = UNKNOWN
    try:
        # The first of that name on sys.path is what an import gets, and may have no plugin at all.
        first = Distribution.from_name(name)
        version = first.version
        return [
            Candidate(name=each.name, value=each.value, distribution=first.name, version=version)
            for each in first.entry_points.select(group=PROJECT)
        ]
    except Exception as error:  # as in _mentions_plugins
        where = distribution.locate_file("")
        damage = f"the metadata of a distribution in {where} can't be read: {type(error).__name__}: {error}"
        return [Candidate(name=name, value="", distribution=name, version=version, damage=damage)]
