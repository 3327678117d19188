"""``GET /v1/models`` for libraries of any size: what did not change is not encoded again."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from litestar.types import Receive, Scope, Send

from jan_host.api.replies import send_whole
from jan_host.contract.model import ModelInfo, ModelStatus


class _Item(NamedTuple):
    info: ModelInfo
    """Held, so that its identity is nobody else's."""
    body: bytes
    digest: bytes


class Answer:
    """A list of models as an answer, or that the client has it already."""

    def __init__(self, body: bytes, tag: str) -> None:
        self._body = body
        self._tag = tag

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        known = dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
        headers = {"etag": self._tag, "cache-control": "private, no-cache"}
        if self._tag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            await send_whole(send, b"", "application/json", 304, headers)
        else:
            await send_whole(send, self._body, "application/json", 200, headers)


class Listing:
    """Lists of models as JSON. Infos that are the same objects as before keep their encoded form."""

    def __init__(self) -> None:
        self._items: dict[int, _Item] = {}
        self._infos: Sequence[ModelInfo] = ()
        self._answers: dict[frozenset[ModelStatus], Answer] = {}

    def answer(self, infos: Sequence[ModelInfo], statuses: frozenset[ModelStatus]) -> Answer:
        """The answer that lists those of `infos` that stand as one of `statuses` says."""
        if infos is not self._infos:
            before = self._items
            self._items = {id(info): before.get(id(info)) or _item(info) for info in infos}
            self._infos, self._answers = infos, {}
        if statuses not in self._answers:
            self._answers[statuses] = _answer(
                [item for item in self._items.values() if item.info.status in statuses]
            )
        return self._answers[statuses]


def _item(info: ModelInfo) -> _Item:
    body = msgspec.json.encode(info)
    return _Item(info, body, hashlib.blake2b(body, digest_size=16).digest())


def _answer(items: Sequence[_Item]) -> Answer:
    body = b'{"object":"list","data":[' + b",".join([item.body for item in items]) + b"]}"
    tag = hashlib.blake2b(b"".join([item.digest for item in items]), digest_size=16).hexdigest()
    return Answer(body, f'"{tag}"')
