"""What goes wrong between us and a hub, in words for the user. No text of a server's is repeated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jan_host import ImportFailedError, OriginNotFoundError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for, for the messages."""

    endpoint: str
    repo: str
    revision: str | None = None
    path: str | None = None
    with_token: bool = False

    @property
    def page(self) -> str:
        """Where a user can look at the repository."""
        return f"{self.endpoint}/{self.repo}"


@contextmanager
def translated(asked: Asked) -> Iterator[None]:
    """Errors of huggingface_hub and of its HTTP client become errors of jan-host.

    Raises:
        OriginNotFoundError: There is no such repository, revision or file.
        ImportFailedError: Anything else.
    """
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise offline(asked.endpoint) from None
    except errors.HfHubHTTPError as error:
        raise _refused(error, asked) from None
    except httpx2.TimeoutException:
        raise ImportFailedError(
            f"The hub {asked.endpoint} did not answer in time. Try again later, or raise"
            " [plugins.huggingface] timeout_seconds."
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise ImportFailedError(
            f"The hub {asked.endpoint} can't be reached ({type(error).__name__}). Check the network, and"
            " HF_ENDPOINT where it is set."
        ) from None


def offline(endpoint: str) -> ImportFailedError:
    """Nothing may be asked."""
    return ImportFailedError(
        f"HF_HUB_OFFLINE is set, so that {endpoint} is not asked. Unset it to import from a hub, or import"
        " files that are here: jan-host import PATH."
    )


def nonsense(asked: Asked, what: str) -> ImportFailedError:
    """The answer is not what the API says."""
    return ImportFailedError(
        f"{asked.endpoint} did not answer as a model hub does for {asked.repo}: {what}. Check HF_ENDPOINT"
        " and proxies; if they are right, tell the hub's operator."
    )


def _refused(error: "HfHubHTTPError", asked: Asked) -> ImportFailedError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):  # a kind of RepositoryNotFoundError
        return _gated(asked)
    if isinstance(error, errors.RepositoryNotFoundError):
        return _no_repository(asked)
    if isinstance(error, errors.RevisionNotFoundError):
        return OriginNotFoundError(
            f"{asked.repo} has no branch, tag or commit {asked.revision or 'main'!r}. See {asked.page}.",
            param="origin",
        )
    if isinstance(error, errors.EntryNotFoundError):
        return OriginNotFoundError(
            f"{asked.repo} has no file {asked.path!r}. See {asked.page}.", param="origin"
        )
    return _status(error.response.status_code, error.response.headers.get("Retry-After"), asked)


def _gated(asked: Asked) -> ImportFailedError:
    accept = f"Accept the model's terms at {asked.page}"
    if asked.with_token:
        return ImportFailedError(
            f"{asked.repo} is gated, and your token has no access to it. {accept} with the account that the"
            " token is of (it may need its author's approval), and see that the token may read gated"
            " repositories.",
            param="origin",
            status=403,
        )
    return ImportFailedError(
        f"{asked.repo} is gated. {accept}, then set HF_TOKEN to a token of that account, or run: hf auth"
        " login.",
        param="origin",
        status=401,
    )


def _no_repository(asked: Asked) -> OriginNotFoundError:
    if asked.with_token:
        hint = "If it is private, see that your token may read it."
    else:
        hint = "If it is private, set HF_TOKEN to a token that may read it, or run: hf auth login."
    return OriginNotFoundError(
        f"{asked.endpoint} has no model repository {asked.repo!r}. Check its spelling. {hint}", param="origin"
    )


def _status(status: int, retry_after: str | None, asked: Asked) -> ImportFailedError:
    if status == 401:
        return ImportFailedError(
            f"{asked.endpoint} refuses the token: it is not valid, or has expired. Set HF_TOKEN to a valid"
            " one, or run: hf auth login.",
            status=401,
        )
    if status == 403:
        return ImportFailedError(
            f"{asked.endpoint} refuses access to {asked.repo}. See {asked.page} for what it asks for.",
            status=403,
        )
    if status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        wait = f" Try again in {seconds:.0f} seconds" if seconds else " Try again later"
        more = "" if asked.with_token else ", or set HF_TOKEN: hubs allow more to those whom they know"
        return ImportFailedError(
            f"{asked.endpoint} has had too many requests from here.{wait}{more}.",
            status=429,
            retry_after=seconds,
        )
    if status >= 500:
        return ImportFailedError(f"The hub {asked.endpoint} has a fault (HTTP {status}). Try again later.")
    return ImportFailedError(f"{asked.endpoint} answered HTTP {status} for {asked.repo}. See {asked.page}.")
