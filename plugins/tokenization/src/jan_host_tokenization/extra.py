"""The routes of tokenization. Names, paths and shapes are those of Jan's API document."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from jan_host import Extra, Host, Route
from msgspec import Meta

TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class TokenizeRequest(msgspec.Struct, kw_only=True):
    """The body of ``/extras/tokenize`` and ``/extras/tokenize/count``."""

    input: Annotated[str, Meta(description="The text to tokenize", examples=["Hello, world!"])]
    model: Annotated[
        str | None,
        Meta(description="The model to use for tokenization; left out, the only running model"),
    ] = None


class TokenizeResponse(msgspec.Struct, kw_only=True):
    """The answer of ``/extras/tokenize``."""

    tokens: Annotated[list[int], Meta(description="Array of token IDs")]


class TokenCountResponse(msgspec.Struct, kw_only=True):
    """The answer of ``/extras/tokenize/count``."""

    count: Annotated[int, Meta(description="Number of tokens")]


class DetokenizeRequest(msgspec.Struct, kw_only=True):
    """The body of ``/extras/detokenize``."""

    tokens: Annotated[list[TokenId], Meta(description="Array of token IDs", examples=[[15339, 11, 1917, 0]])]
    model: Annotated[
        str | None,
        Meta(description="The model whose tokens these are; left out, the only running model"),
    ] = None


class DetokenizeResponse(msgspec.Struct, kw_only=True):
    """The answer of ``/extras/detokenize``."""

    text: Annotated[str, Meta(description="The text of the tokens, control tokens written out")]


class Tokenization(Extra):
    """Three routes over the tokenizer of any model; a model that is not running is started."""

    name: ClassVar[str] = "tokenization"

    def routes(self, host: Host) -> Sequence[Route]:
        """Tokenize, count, detokenize."""
        service = _Service(host)
        return [
            Route(
                method="POST",
                path="/extras/tokenize",
                handler=service.tokenize,
                operation_id="tokenize",
                summary="Tokenize text",
                description="Convert text input into tokens using the model's tokenizer.",
            ),
            Route(
                method="POST",
                path="/extras/tokenize/count",
                handler=service.count_tokens,
                operation_id="count_tokens",
                summary="Count tokens",
                description="Count the number of tokens in the provided text.",
            ),
            Route(
                method="POST",
                path="/extras/detokenize",
                handler=service.detokenize,
                operation_id="detokenize",
                summary="Detokenize tokens",
                description="Convert tokens back into the text that they stand for.",
            ),
        ]


class _Service:
    """The handlers, each one call of the host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def tokenize(self, data: TokenizeRequest) -> TokenizeResponse:
        return TokenizeResponse(tokens=await self._host.tokenize(data.model, data.input))

    async def count_tokens(self, data: TokenizeRequest) -> TokenCountResponse:
        return TokenCountResponse(count=len(await self._host.tokenize(data.model, data.input)))

    async def detokenize(self, data: DetokenizeRequest) -> DetokenizeResponse:
        return DetokenizeResponse(text=await self._host.detokenize(data.model, data.tokens))
