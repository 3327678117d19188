"""Secrets are named in the configuration and never stand in it."""

from collections.abc import Mapping
from pathlib import Path

from jan_host.contract.errors import ConfigError

MAX_SECRET_BYTES = 64 * 1024


def resolve_secret(text: str, environ: Mapping[str, str]) -> str:
    """The secret that a setting names.

    Args:
        text: ``env:NAME`` (a variable), ``file:PATH`` (a file's content, without white space
            around it), or the secret itself.
        environ: The variables to look in.

    Raises:
        ConfigError: The variable or the file is missing or empty. The message has no secret in it.
    """
    kind, colon, name = text.partition(":")
    if colon and kind == "env":
        return _from_environment(name, environ)
    if colon and kind == "file":
        return _from_file(Path(name).expanduser())
    return text


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    secret = environ.get(name, "")
    if not secret:
        raise ConfigError(
            f"The environment variable {name!r}, named by the setting 'env:{name}', is not set."
            f" Set it before jan-host starts: export {name or 'NAME'}=..."
        )
    return secret


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            secret = file.read(MAX_SECRET_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ConfigError(f"The secret file {path} can't be read: {reason}.") from None
    if not secret:
        raise ConfigError(f"The secret file {path} is empty. Write the secret into it.")
    return secret
