"""What the hub and its CDN answer to each request."""

import json
import re
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub import api
from tests.hub.faults import Answer, Fault
from tests.hub.hub import Hub, Seen
from tests.hub.repositories import Commit, Repo, blob_id, is_large
from tests.hub.sending import Sending

REFUSALS = {
    "GatedRepo": "Access to model {0} is restricted. You must have access to it and be authenticated.",
    "RepoNotFound": "Repository not found",
    "RevisionNotFound": "Invalid rev id",
    "EntryNotFound": "Entry not found",
}


class _Handler(Sending, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    place: ClassVar[str]

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    @property
    def hub(self) -> Hub:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]  # a handler's server is of any kind

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.entry = Seen(
            place=self.place, method=self.command, path=parts.path, query=parts.query, headers=headers
        )
        self.hub.seen.append(self.entry)
        self.tell()
        answer = self.hub.answers.get(parts.path)
        if answer is not None and answer.times != 0:
            self._override(answer)
        else:
            self.route(unquote(parts.path), parts.query)
        self.tell()

    def route(self, path: str, query: str) -> None:
        raise NotImplementedError

    def _override(self, answer: Answer) -> None:
        if answer.times is not None:
            answer.times -= 1
        if answer.gate is not None:
            answer.gate.wait(60)
        self.send(answer.status, answer.body, answer.headers)

    def refuse(self, status: int, code: str, repo_id: str = "", message: str = "") -> None:
        text = message or REFUSALS[code].format(repo_id)
        headers = {"X-Error-Code": code, "X-Error-Message": text} if code else {"X-Error-Message": text}
        self.send(status, json.dumps({"error": text}).encode(), headers)


class HubHandler(_Handler):
    """The API, and where files can be had."""

    place = "hub"

    def route(self, path: str, query: str) -> None:
        token = self.entry.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            return self.refuse(401, "", message="Invalid credentials in Authorization header")
        self.token = token
        if path.startswith("/api/models/"):
            return self._route_api(path.removeprefix("/api/models/"), query)
        cached = re.fullmatch(r"/api/resolve-cache/models/(.+?)/([0-9a-f]{40})/(.+)", path)
        match = cached or re.fullmatch(r"/(.+?)/resolve/([^/]+|refs/[^/]+/[^/]+)/(.+)", path)
        if match is None:
            return self.refuse(404, "", message="Sorry, we can't find the page you are looking for.")
        repo = self._repo(match[1])
        return self._resolve(repo, match[2], match[3], cached=cached is not None) if repo else None

    def _repo(self, repo_id: str) -> Repo | None:
        """The repository, if it may be seen; else the refusal is sent."""
        if repo_id in self.hub.renamed:
            there = self.path.replace(repo_id, self.hub.renamed[repo_id], 1)
            self.send(307, b"", {"Location": there})
            return None
        repo = self.hub.repos.get(repo_id)
        if repo is not None and (not repo.private or self.token in repo.readers):
            return repo
        if self.token:
            self.refuse(404, "RepoNotFound")
        else:
            self.refuse(401, "RepoNotFound", message="Invalid username or password.")
        return None

    def _route_api(self, rest: str, query: str) -> None:
        match = re.fullmatch(r"(.+?)(?:/(revision|tree|refs|auth-check)(?:/(.*))?)?", rest)
        assert match is not None  # any text of one character or more does
        repo_id, what, more = match[1], match[2], match[3] or ""
        repo = self._repo(repo_id)
        if repo is None:
            return None
        if what == "refs":
            return self._json(api.refs(repo))
        if what == "auth-check":
            return self._json({"ok": True}) if self._may_read(repo) else None
        revision, _, folder = (more or "main").partition("/") if what == "tree" else (more or "main", "", "")
        commit = repo.at(revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        if what == "tree":
            return self._tree(repo, commit, folder, query)
        blobs = "blobs" in parse_qs(query)
        return self._json(api.model_info(repo, commit, self.hub.faults, blobs=blobs))

    def _tree(self, repo: Repo, commit: Commit, folder: str, query: str) -> None:
        items = api.tree(repo, commit, folder, self.hub.faults, query)
        if folder and not items:
            return self.refuse(404, "EntryNotFound")
        page, following = api.page_of(items, query, self.hub.page_size)
        there = f"{self.hub.url}{urlsplit(self.path).path}?{following}"
        return self._json(page, {"Link": f'<{there}>; rel="next"'} if following else {})

    def _may_read(self, repo: Repo) -> bool:
        if not repo.gated or self.token in repo.readers:
            return True
        self.refuse(403 if self.token else 401, "GatedRepo", repo.id)
        return False

    def _resolve(self, repo: Repo, revision: str, path: str, *, cached: bool) -> None:
        commit = repo.at(revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        content = commit.files.get(path)
        if content is None:
            return self.refuse(404, "EntryNotFound")
        if path != "README.md" and not self._may_read(repo):
            return None
        file = f"{repo.id}/{path}"
        fault = self.hub.faults.get(file, Fault())
        headers = {"X-Repo-Commit": commit.sha, "Accept-Ranges": "bytes"}
        size = content.size if fault.claimed_size is None else fault.claimed_size
        if is_large(path, content):
            headers["X-Linked-Size"] = str(size)
            headers["X-Linked-Etag"] = f'"{fault.claimed_sha256 or content.sha256}"'
            headers["Location"] = self.hub.signed_url(repo, commit, path)
            return self.send(302, b"Found. Redirecting", headers)
        headers["ETag"] = f'"{blob_id(content, large=False)}"'
        if not cached:
            headers["Location"] = f"/api/resolve-cache/models/{repo.id}/{commit.sha}/{path}"
            return self.send(307, b"Temporary Redirect", headers)
        return self.send_content(file, content, fault, headers)

    def _json(self, data: Any, headers: dict[str, str] | None = None) -> None:
        self.send(200, json.dumps(data).encode(), {"Content-Type": "application/json", **(headers or {})})


class CdnHandler(_Handler):
    """Large files, for those who come with a signed URL."""

    place = "cdn"

    def route(self, path: str, query: str) -> None:
        match = re.fullmatch(r"/repos/(.+?)/([0-9a-f]{40})/(.+)", path)
        repo = self.hub.repos.get(match[1]) if match else None
        content = repo.commits[match[2]].files.get(match[3]) if repo and match else None
        if repo is None or match is None or content is None:
            return self.send(404, b"<Error><Code>NoSuchKey</Code></Error>", {})
        file = f"{repo.id}/{match[3]}"
        if parse_qs(query).get("Signature") != [str(self.hub.signature)]:
            self.entry.file = file
            return self.send(403, b"<Error><Code>AccessDenied</Code></Error>", {})
        headers = {"ETag": f'"{content.sha256[:32]}"', "Accept-Ranges": "bytes"}
        return self.send_content(file, content, self.hub.faults.get(file, Fault()), headers)
