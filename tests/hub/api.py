"""What the hub tells of a repository, as the API's JSON."""

from typing import Any
from urllib.parse import parse_qs, quote

from tests.hub.faults import Fault
from tests.hub.repositories import Commit, Repo, blob_id, is_large

CREATED = "2023-10-26T11:25:49.000Z"
POINTER_BYTES = 135

Faults = dict[str, Fault]


def model_info(repo: Repo, commit: Commit, faults: Faults, *, blobs: bool) -> dict[str, Any]:
    """``/api/models/{repo}`` and ``/revision/{revision}``."""
    author = repo.id.partition("/")[0]
    return {
        "_id": "653a4a5d8b1c4f0001000000",
        "id": repo.id,
        "modelId": repo.id,
        "author": author,
        "sha": commit.sha,
        "createdAt": CREATED,
        "lastModified": CREATED,
        "private": repo.private,
        "gated": repo.gated,
        "disabled": False,
        "downloads": 1,
        "likes": 1,
        "tags": [],
        "spaces": [],
        **repo.info,
        "siblings": [_sibling(repo, commit, path, faults, blobs=blobs) for path in sorted(commit.files)],
    }


def _sibling(repo: Repo, commit: Commit, path: str, faults: Faults, *, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": path}
    size, sha256, large = _told(repo, commit, path, faults)
    found: dict[str, Any] = {
        "rfilename": path,
        "blobId": blob_id(commit.files[path], large=large),
        "size": size,
    }
    if large:
        found["lfs"] = {"sha256": sha256, "size": size, "pointerSize": POINTER_BYTES}
    return found


def tree(repo: Repo, commit: Commit, folder: str, faults: Faults, query: str) -> list[dict[str, Any]]:
    """``/api/models/{repo}/tree/{revision}/{folder}``, all pages of it."""
    asked = parse_qs(query)
    inside = f"{folder}/" if folder else ""
    recursive = asked.get("recursive", [""])[0].lower() == "true"
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(commit.files):
        if not path.startswith(inside):
            continue
        parts = path.removeprefix(inside).split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            name = inside + "/".join(parts[:depth])
            found.setdefault(name, {"type": "directory", "oid": "0" * 40, "size": 0, "path": name})
        if recursive or len(parts) == 1:
            found[path] = _entry(repo, commit, path, faults)
    if asked.get("expand", [""])[0].lower() == "true":
        last = {"id": commit.sha, "title": "Upload", "date": CREATED}
        return [{**item, "lastCommit": last} for item in found.values()]
    return list(found.values())


def _entry(repo: Repo, commit: Commit, path: str, faults: Faults) -> dict[str, Any]:
    size, sha256, large = _told(repo, commit, path, faults)
    oid = blob_id(commit.files[path], large=large)
    found: dict[str, Any] = {"type": "file", "oid": oid, "size": size, "path": path}
    if large:
        found["lfs"] = {"oid": sha256, "size": size, "pointerSize": POINTER_BYTES}
    return found


def _told(repo: Repo, commit: Commit, path: str, faults: Faults) -> tuple[int, str, bool]:
    content = commit.files[path]
    large = is_large(path, content)
    fault = faults.get(f"{repo.id}/{path}", Fault())
    size = content.size if fault.claimed_size is None else fault.claimed_size
    return size, (fault.claimed_sha256 or content.sha256) if large else "", large


def page_of(items: list[Any], query: str, page_size: int) -> tuple[list[Any], str | None]:
    """A page, and the query of the next one."""
    asked = parse_qs(query)
    start = int(asked.get("cursor", ["0"])[0])
    end = start + page_size
    if end >= len(items):
        return items[start:], None
    kept = "&".join(f"{key}={quote(asked[key][0])}" for key in asked if key != "cursor")
    return items[start:end], f"{kept}&cursor={end}"


def refs(repo: Repo) -> dict[str, Any]:
    """``/api/models/{repo}/refs``."""
    return {
        "branches": [
            {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit.sha}
            for name, commit in repo.branches.items()
        ],
        "tags": [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": commit.sha}
            for name, commit in repo.tags.items()
        ],
        "converts": [],
    }
