"""The plugin's own settings: by which key each server is asked for its models, during an import."""

import msgspec

from jan_host_openai.addresses import OPENAI_HOST, is_azure
from jan_host_openai.secrets import is_reference


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``[plugins.openai]`` of config.toml."""

    keys: dict[str, str] = {}
    """A host, such as ``openrouter.ai``, to the key for it, as ``env:NAME`` or ``file:PATH``."""


def key_for(host: str, keys: dict[str, str]) -> str | None:
    """The reference to the key for a host; a literal key is none, since it would be written to a file."""
    named = keys.get(host) or keys.get(host.partition(":")[0])
    if named is not None:
        return named if is_reference(named) else None
    if host == OPENAI_HOST:
        return "env:OPENAI_API_KEY"
    return "env:AZURE_OPENAI_API_KEY" if is_azure(host) else None
