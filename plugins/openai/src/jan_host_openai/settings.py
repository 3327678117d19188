"""The settings of a remote model: where its upstream is, by which key, and what is special about it."""

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

Secret = Annotated[
    str, Meta(extra={"secret": True}, description="``env:NAME``, ``file:PATH``, or the secret itself.")
]
Capability = Literal["chat", "complete", "embed", "rerank"]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class OpenAIUpstream(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A server that speaks OpenAI's API."""

    base_url: str | None = None
    """Such as ``https://api.openai.com/v1``; left out, the model's `origin`. Without a path, ``/v1``."""
    api_key: Secret | None = None
    """Left out for ``api.openai.com``: ``env:OPENAI_API_KEY``; for other servers: no key is sent."""
    organization: str | None = None
    project: str | None = None
    headers: dict[str, Secret] = {}
    """Further HTTP headers; a value may be ``env:NAME`` or ``file:PATH`` too."""
    model: str | None = None
    """The model's name at the upstream; left out, its id here."""
    timeout: Seconds | None = None
    """Seconds that the upstream may be silent, before its answer and in the middle of it. Default: 600."""
    connect_timeout: Seconds | None = None
    """Seconds for the connection to stand. Default: 10."""
    max_retries: Annotated[int, Meta(ge=0, le=10)] | None = None
    """How often the same upstream is asked again before its answer begins. Default: 0; clients retry too."""
    proxy: Secret | None = None
    """The URL of an HTTP proxy; left out, what the environment says (``HTTPS_PROXY`` and its kin)."""
    ca_file: str | None = None
    """A file of certificates (PEM) that are trusted beside the public ones; as is ``SSL_CERT_FILE``."""
    reasoning: bool | None = None
    """Whether it takes requests as reasoning models do; left out, its name tells (o1, o3, gpt-5, ...)."""
    stream_usage: bool | None = None
    """Whether it knows ``stream_options.include_usage``; left out, it is tried."""


class OpenAISettings(OpenAIUpstream, kw_only=True, omit_defaults=True):
    """Settings of the engine ``openai``."""

    capabilities: list[Capability] | None = None
    """What the model can do; left out, everything is tried."""
    upstreams: list[OpenAIUpstream] = []
    """Several servers of the same model; what one leaves out, it has from the settings around the list."""


class AzureUpstream(OpenAIUpstream, kw_only=True, omit_defaults=True):
    """A deployment in Azure OpenAI."""

    deployment_name: str | None = None
    """Left out, the last part of the model's id."""
    api_version: str | None = None
    """Default: ``2024-10-21``."""
    entra_id: bool | None = None
    """Sign in with Entra ID (needs ``azure-identity``) in place of a key."""


class AzureSettings(AzureUpstream, kw_only=True, omit_defaults=True):
    """Settings of the engine ``azure_openai``."""

    capabilities: list[Capability] | None = None
    """What the model can do; left out, everything that Azure has is tried."""
    upstreams: list[AzureUpstream] = []
    """Several deployments of the same model; what one leaves out, it has from around the list."""


UpstreamT = TypeVar("UpstreamT", bound=OpenAIUpstream)


def completed(upstream: UpstreamT, around: OpenAIUpstream) -> UpstreamT:
    """The upstream with what it leaves out taken from the settings around it; headers are put together."""
    names = upstream.__struct_fields__
    given = {name: getattr(around, name) for name in names if getattr(upstream, name) is None}
    return msgspec.structs.replace(upstream, **{**given, "headers": {**around.headers, **upstream.headers}})
