"""Sign-in with Entra ID, through the optional package azure-identity."""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from jan_host import ModelLoadError, UpstreamError

SCOPE = "https://cognitiveservices.azure.com/.default"
"""What the token is for: Azure's AI services."""

_CODE = re.compile(r"AADSTS\d+")
"""How Entra ID names a reason: https://learn.microsoft.com/entra/identity-platform/reference-error-codes"""


class Token(Protocol):
    """What azure-identity calls an access token."""

    @property
    def token(self) -> str:
        """The token itself."""
        ...


class Credential(Protocol):
    """What this module needs of a credential of azure-identity."""

    async def get_token(self, *scopes: str) -> Token:
        """A token for the scopes; it is kept and renewed inside."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


def default_credential() -> Credential:
    """The credential of the environment: a service principal, a managed identity, ``az login``, ...

    Raises:
        ModelLoadError: azure-identity is not installed; says how to install it.
    """
    try:
        from azure.identity.aio import DefaultAzureCredential
    except ImportError:
        raise ModelLoadError(
            "The setting entra_id needs the package azure-identity. Install it beside jan-host:"
            ' pip install "jan-host-openai[entra]"',
            param="settings.entra_id",
        ) from None
    # It logs what the sign-in answers, which may be anything.
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    credential: Credential = DefaultAzureCredential()
    return credential


def token_provider(credential: Credential) -> Callable[[], Awaitable[str]]:
    """A function that gives a valid token, for the client to call before each request."""

    async def provide() -> str:
        try:
            return (await credential.get_token(SCOPE)).token
        except Exception as error:  # its errors are many, and may quote what the sign-in sent
            found = _CODE.search(str(error))
            reason = found[0] if found else type(error).__name__
            raise UpstreamError(
                f"The sign-in with Entra ID failed ({reason}). Check this machine's identity:"
                " az login, or the AZURE_... variables."
            ) from None

    return provide
