"""The access token: where it is, never what it is, except in a request to the hub."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jan_host import ImportFailedError

from jan_host_huggingface.settings import Settings

MOST_BYTES = 4096
_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """A reference to a token: ``env:NAME`` or ``file:PATH``.

    `always` says that the user named it in the settings, so that it goes with every file.
    """

    reference: str
    always: bool

    @property
    def header(self) -> dict[str, str]:
        """The header of a plan's asset: the reference, which the host reads when it asks."""
        return {"Authorization": f"Bearer {self.reference}"}

    def secret(self) -> str:
        """The token itself.

        Raises:
            ImportFailedError: There is none at the reference. The message has no secret in it.
        """
        kind, _, name = self.reference.partition(":")
        try:
            text = os.environ.get(name, "") if kind == "env" else _read(Path(name).expanduser())
        except (OSError, ValueError):
            text = ""
        token = text.strip()
        if not token:
            what = f"Set the variable {name}" if kind == "env" else f"Write the token into the file {name}"
            raise ImportFailedError(
                f"The hub's token should be at {self.reference!r} ([plugins.huggingface] token), and there"
                f" is nothing. {what}, or correct the setting."
            )
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ImportFailedError(
                f"What is at {self.reference!r} is no token: it has spaces or characters that can't be sent."
            )
        return token


def credentials_for(settings: Settings, endpoint: str) -> Credentials | None:
    """Where the token for the hub is, or ``None`` when there is none or it must not be sent there.

    Raises:
        ImportFailedError: The settings name a token, and the hub is asked over unencrypted http.
    """
    is_safe = _is_safe(endpoint)
    if settings.token is not None:
        if settings.token and not is_safe:
            raise ImportFailedError(
                f"A token is set for {endpoint}, and it would go over the network unencrypted. Give the hub's"
                ' https address, or set [plugins.huggingface] token = "".'
            )
        return Credentials(settings.token, always=True) if settings.token else None
    found = _found() if is_safe else None
    return Credentials(found, always=False) if found else None


def _found() -> str | None:
    """Where the hub's own tools keep the token."""
    from huggingface_hub import constants

    if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        return None
    for name in _VARIABLES:
        if os.environ.get(name, "").strip():
            return f"env:{name}"
    path = Path(os.environ.get("HF_TOKEN_PATH") or constants.HF_TOKEN_PATH).expanduser()
    try:
        return f"file:{path}" if _read(path).strip() else None
    except (OSError, ValueError):
        return None


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MOST_BYTES).decode()


def _is_safe(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK
