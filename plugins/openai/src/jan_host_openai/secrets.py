"""Secrets are named in settings, and read when a model is loaded."""

import os
from collections.abc import Iterable
from pathlib import Path

from jan_host import ModelLoadError

MASK = "***"
SHORTEST = 6
"""Shorter texts are not searched for in messages: they would be found in ordinary words."""


def is_reference(text: str) -> bool:
    """Whether a text names a secret and is none itself."""
    return text.startswith(("env:", "file:"))


def read_secret(text: str, setting: str) -> str:
    """The secret behind ``env:NAME`` or ``file:PATH``; any other text is the secret itself.

    Args:
        text: What the setting says.
        setting: The setting's name, for the error.

    Raises:
        ModelLoadError: There is no such variable or file. The message holds no secret.
    """
    kind, _, name = text.partition(":")
    if not is_reference(text):
        return text
    if kind == "env":
        secret = os.environ.get(name, "").strip()
        cure = f"Set the environment variable {name} before jan-host starts"
    else:
        try:
            secret = Path(name).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            secret = ""
        cure = f"Write the secret into the file {name}, which must be readable"
    if not secret:
        raise ModelLoadError(
            f"The setting {setting} is {text!r}, and there is nothing. {cure}.", param=f"settings.{setting}"
        )
    return secret


class Hiding:
    """Takes secrets out of texts that others wrote.

    Args:
        secrets: What must not be seen.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({each for each in secrets if len(each) >= SHORTEST}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text with `MASK` in place of each secret."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text
