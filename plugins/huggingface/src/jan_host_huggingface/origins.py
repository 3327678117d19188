"""What users write to name a repository of a hub, and what in it.

| written                                              | means                                   |
|------------------------------------------------------|-----------------------------------------|
| ``org/repo``                                         | the repository                          |
| ``org/repo:Q4_K_M``, ``org/repo:file.gguf``          | a variant of it, a file of it           |
| ``org/repo@revision``, ``org/repo@revision:Q4_K_M``  | at a branch, a tag or a commit          |
| ``hf://org/repo@revision/path/file.gguf``            | as the client's own file system does    |
| ``https://huggingface.co/org/repo``, ``hf.co/...``   | pasted from a browser                   |
| ``.../tree/BRANCH``, ``.../tree/BRANCH/folder``      | a branch, a folder                      |
| ``.../blob/main/FILE``, ``.../resolve/main/FILE``    | a file; queries like ``?download=true`` |
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from jan_host import OriginNotFoundError

HUB_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co", "www.hf.co"})
MOST_CHARACTERS = 2000
MOST_REPO_CHARACTERS = 200

_PART = r"[A-Za-z0-9_](?:[\w.-]*[\w])?"
_BARE = re.compile(
    rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[^:@\s]+))?(?P<colon>:(?P<what>[^:\s][^:]*))?", re.ASCII
)
_REPO = re.compile(rf"{_PART}(?:/{_PART})?", re.ASCII)
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}(:\d+)?|[\w.-]+:\d+", re.ASCII)
_REVISION = re.compile(r"[\w.][\w./+-]*", re.ASCII)
_NOT_MODELS = frozenset(
    {"datasets", "spaces", "collections", "papers", "docs", "blog", "settings", "api", "models", "buckets"}
)
_VIEWS = frozenset({"tree", "blob", "resolve", "raw"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A repository, and what of it is meant."""

    repo: str
    """``org/repo``; the few old models without an organisation have no slash."""
    revision: str | None = None
    """A branch, a tag or a commit; ``None``: the repository's default branch."""
    path: str | None = None
    """A file or folder of it."""
    variant: str | None = None
    """A variant's name, or a file's."""

    @property
    def organisation(self) -> str:
        """What stands before the slash."""
        return self.repo.partition("/")[0] if "/" in self.repo else ""

    @property
    def title(self) -> str:
        """The repository's own name."""
        return self.repo.rpartition("/")[2]

    def text(self, what: str | None = None) -> str:
        """The shortest form, with `what` (a variant or a file) behind it."""
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.repo}{revision}{f':{what}' if what else ''}"


def recognise(text: str, endpoint: str) -> Origin | None:
    """The origin that a text names for certain, without an importer's name before it, else ``None``."""
    text = text.strip()
    bare = _BARE.fullmatch(text) if len(text) <= MOST_CHARACTERS else None
    if bare is not None and not _HOST.fullmatch(bare["repo"].partition("/")[0]):
        return _parse(text, endpoint)
    return _parse(text, endpoint) if _is_hub_address(text, endpoint) else None


def parse_origin(text: str, endpoint: str) -> Origin:
    """Read what stands behind an importer's name.

    Args:
        text: In one of the forms above, with ``org/repo/path`` and names without ``org/`` beside them.
        endpoint: The hub that is asked; its host may stand in addresses.

    Raises:
        OriginNotFoundError: It is something else.
    """
    found = _parse(text.strip(), endpoint)
    if found is None:
        raise OriginNotFoundError(
            f"{text.strip()[:200]!r} names no repository of {host_of(endpoint)}. Write org/repo,"
            " org/repo:VARIANT, org/repo:FILE, org/repo@revision, or paste the address of its page.",
            param="origin",
        )
    return found


def is_repository(text: str) -> bool:
    """Whether a text is a repository's id, with an organisation or, as some old ones, without."""
    well_formed = len(text) <= MOST_REPO_CHARACTERS and _REPO.fullmatch(text) is not None
    return well_formed and ".." not in text and not text.endswith(".git")


def host_of(address: str) -> str:
    """Host and port of an address, in small letters; empty where it has none."""
    try:
        return urlsplit(address).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _is_hub_address(text: str, endpoint: str) -> bool:
    if text.startswith("hf://"):
        return True
    host = host_of(text if "://" in text else f"//{text}")
    has_scheme = text.startswith(("https://", "http://"))
    return host in {*HUB_HOSTS, host_of(endpoint)} and (has_scheme or "://" not in text)


def _parse(text: str, endpoint: str) -> Origin | None:
    if len(text) > MOST_CHARACTERS or not text.isprintable():
        return None
    bare = _BARE.fullmatch(text)
    if bare is not None and not _is_hub_address(text, endpoint):
        return _checked(bare["repo"], bare["revision"], None, bare["what"])
    if text.startswith("hf://"):
        return _parse_path(text.removeprefix("hf://"))
    if _is_hub_address(text, endpoint):
        return _parse_address(text, endpoint)
    if "://" in text:
        return None
    return _parse_path(text)


def _parse_path(text: str) -> Origin | None:
    """``org/repo[@revision][:what]`` or ``org/repo[@revision]/path``, or a name alone."""
    path, colon, what = text.partition(":")
    if colon and not what:
        return None
    before, at, after = path.partition("@")
    parts = before.split("/")
    if parts[0] == "models" and len(parts) > 2:
        parts = parts[1:]
    if at:  # a revision's own slashes can't be told from a path's, except in refs/...
        count = 3 if after.startswith("refs/") else 1
        pieces = after.split("/")
        revision, rest = "/".join(pieces[:count]), "/".join(pieces[count:])
    else:
        revision, rest = "", "/".join(parts[2:])
        parts = parts[:2]
    if at and not revision:
        return None
    return _checked("/".join(parts), revision or None, rest or None, what or None)


def _parse_address(text: str, endpoint: str) -> Origin | None:
    try:
        url = urlsplit(text if "://" in text else f"//{text}")
    except ValueError:
        return None
    route = url.path
    prefix = urlsplit(endpoint).path
    if prefix and url.netloc.lower() == host_of(endpoint):
        route = route.removeprefix(prefix)
    route, colon, what = route.partition(":")
    if colon and not what:
        return None
    parts = [unquote(part) for part in route.strip("/").split("/")]
    view = next((index for index in (2, 1) if len(parts) > index and parts[index] in _VIEWS), None)
    if view is None:
        if len(parts) > 2:
            return None
        repo, _, revision = "/".join(parts).partition("@")
        shown = parse_qs(url.query).get("show_file_info")  # the page's own viewer of GGUF files
        return _checked(repo, revision or None, shown[0] if shown else None, unquote(what) or None)
    count = 3 if parts[view + 1 : view + 2] == ["refs"] else 1
    revision = "/".join(parts[view + 1 : view + 1 + count])
    path = "/".join(parts[view + 1 + count :])
    return _checked("/".join(parts[:view]), revision or None, path or None, unquote(what) or None)


def _checked(repo: str, revision: str | None, path: str | None, what: str | None) -> Origin | None:
    if not is_repository(repo) or repo.partition("/")[0].lower() in _NOT_MODELS:
        return None
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
        return None
    if any(text and ("\\" in text or ".." in text.split("/") or text[0] == "/") for text in (path, what)):
        return None
    # "latest" is what Ollama calls the variant that nobody chose.
    return Origin(
        repo=repo,
        revision=None if revision in ("main", "refs/heads/main") else revision,
        path=path.strip("/") if path else None,
        variant=None if what in (None, "latest") else what,
    )
