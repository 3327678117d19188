"""``[plugins.huggingface]`` of config.toml."""

import os
from typing import Annotated

import msgspec
from msgspec import Meta

DEFAULT_ENDPOINT = "https://huggingface.co"

Reference = Annotated[str, Meta(pattern=r"^((env|file):.+)?$")]


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which hub is asked, and as whom."""

    endpoint: Annotated[str, Meta(pattern=r"^https?://[^/?#@]+[^?#@]*$")] | None = None
    """The hub's address, such as a mirror's. Left out: ``HF_ENDPOINT``, else huggingface.co."""
    token: Reference | None = None
    """The access token, as ``env:NAME`` or ``file:PATH``; ``""``: none is ever sent.

    Left out: ``HF_TOKEN``, else what ``hf auth login`` has stored."""
    timeout_seconds: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """How long the hub may stay silent."""


def endpoint_of(settings: Settings) -> str:
    """The hub's address, without a slash behind it."""
    return (configured_endpoint(settings) or DEFAULT_ENDPOINT).strip().rstrip("/")


def configured_endpoint(settings: Settings) -> str | None:
    """The hub's address as the operator names it; ``None`` where nobody does."""
    return settings.endpoint or os.environ.get("HF_ENDPOINT") or None
