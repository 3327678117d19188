"""One upstream that can be asked: for a whole answer, or for a stream."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
from jan_host import GenerationOptions, InvalidRequestError, UpstreamError, to_json

from jan_host_openai.faults import Hide, refusal, translated
from jan_host_openai.requests import asks_for_usage, without_usage
from jan_host_openai.sse import EventReader

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

    from jan_host_openai.pool import Origin, Pool, Timeouts

JSON = {"Content-Type": "application/json"}


class Prepared(NamedTuple):
    """All of a request but its body, as the client makes it."""

    origin: "Origin"
    head: bytes
    """Without the length of the body, and the empty line behind it."""
    timeouts: "Timeouts"


@dataclass(slots=True)
class Remote:
    """An upstream, and the official client that is set up for it."""

    client: "AsyncOpenAI"
    name: str
    """Its address, for messages."""
    model: str
    """The model's name there."""
    reasoning: bool
    hide: Hide
    stream_usage: bool
    """Whether to ask for usage in streams; turned off when the upstream refuses that."""
    headers: dict[str, Any] = field(default_factory=dict)
    """What each request's own headers say, over the client's."""
    signs_in: bool = False
    """Whether each request needs a token that the client asks for."""
    pool: "Pool | None" = None
    """The connections below the client, where it has no proxy between."""
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    _prepared: dict[str, Prepared] = field(default_factory=dict)

    async def look(self, path: str) -> bytes:
        """What lies at a path; errors as in `ask`."""
        import httpx2

        with translated(self.name, self.hide):
            response = await self.client.get(path, cast_to=httpx2.Response, options={"headers": self.headers})
            return response.content

    async def ask(self, path: str, body: msgspec.Struct) -> bytes:
        """The whole answer to a request.

        Raises:
            JanHostError: The upstream failed or refused.
        """
        with translated(self.name, self.hide):
            response = await self._post(path, body)
            try:
                return await response.aread()
            finally:
                await response.aclose()

    async def listen(self, path: str, body: GenerationOptions) -> AsyncGenerator[list[bytes], None]:
        """The data of the events of a streamed answer, as they arrive; closing it closes the connection.

        A server that knows no streams answers with one document: that is the only event then.

        Raises:
            JanHostError: The upstream failed or refused.
        """
        reader = EventReader()
        with translated(self.name, self.hide):
            response = await self._open(path, body)
            try:
                if _media_type(response) == "application/json":
                    yield [await response.aread()]
                    return
                async for received in _parts(response):
                    events = reader.feed(received)
                    if events:
                        yield events
                yield reader.end()
            finally:
                await response.aclose()

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()
        await self.closing.aclose()

    async def _open(self, path: str, body: GenerationOptions) -> "httpx2.Response":
        """Begin a stream; without asking for usage where the upstream does not know that option."""
        if not asks_for_usage(body):
            return await self._post(path, body)
        if not self.stream_usage:
            return await self._post(path, without_usage(body))
        try:
            return await self._post(path, body)
        except InvalidRequestError as error:
            if "stream_options" not in f"{error.param} {error.message}":
                raise
            self.stream_usage = False
            return await self._post(path, without_usage(body))

    async def _post(self, path: str, body: msgspec.Struct) -> "httpx2.Response":
        """Send a request; the answer's body is not read yet."""
        with translated(self.name, self.hide):
            if self.pool is None or self.signs_in or self.client.max_retries:
                response = await self._post_by_client(path, body)
            else:
                response = await self._post_through(self.pool, path, body)
        if _media_type(response) == "text/html":
            await response.aclose()
            raise UpstreamError(
                f"The upstream {self.name} answered with a web page, and no answer of OpenAI's API. Check"
                " base_url; most end in /v1."
            )
        return response

    async def _post_by_client(self, path: str, body: msgspec.Struct) -> "httpx2.Response":
        """With the client's retries, its sign-in and its proxy."""
        import httpx2

        return await self.client.post(
            path,
            cast_to=httpx2.Response,
            content=to_json(body),
            options={"headers": {**JSON, **self.headers}},
            stream=True,
        )

    async def _post_through(self, pool: "Pool", path: str, body: msgspec.Struct) -> "httpx2.Response":
        """With the head that the client made for the first request to this path.

        It would make it anew each time, which costs more than all the rest of a request.
        """
        origin, head, timeouts = self._prepared.get(path) or self._prepare(path)
        content = to_json(body)
        request = b"%scontent-length: %d\r\n\r\n%s" % (head, len(content), content)
        response = await pool.ask(origin, request, timeouts)
        if response.is_success:
            return response
        try:
            told = await response.aread()
        finally:
            await response.aclose()
        raise refusal(response.status_code, response.headers, _document(told), self.name, self.hide)

    def _prepare(self, path: str) -> Prepared:
        from openai._models import FinalRequestOptions  # the client's own way, which has no public name

        from jan_host_openai.pool import Origin
        from jan_host_openai.transport import head_of, timeouts_of

        options = FinalRequestOptions.construct(
            method="post", url=path, headers={**JSON, **self.headers}, content=b""
        )
        request = self.client._build_request(options)
        headers = [pair for pair in request.headers.raw if pair[0].lower() != b"content-length"]
        prepared = Prepared(Origin.of(request.url), head_of(request, headers), timeouts_of(request))
        self._prepared[path] = prepared
        return prepared


def _parts(response: "httpx2.Response") -> AsyncIterator[bytes]:
    """The body as it comes; without the HTTP client's own layers where they have nothing to decode."""
    if "content-encoding" in response.headers:
        return response.aiter_bytes()
    return aiter(cast("AsyncIterable[bytes]", response.stream))


def _media_type(response: "httpx2.Response") -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _document(data: bytes) -> object:
    """A body as JSON, or as text where it is none."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return data.decode(errors="replace")
