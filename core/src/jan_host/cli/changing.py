"""``jan-host models set``: change a model's model.json."""

from typing import Any

import click
import msgspec

from jan_host.cli.client import Server
from jan_host.cli.local import locally
from jan_host.cli.output import say
from jan_host.cli.session import Session, shared_options
from jan_host.contract.errors import ValidationError
from jan_host.host import ModelPatch

TABLES = ("settings", "parameters", "metadata")


@click.command("set")
@click.argument("model")
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--unset", multiple=True, metavar="NAME", help="Take a setting, parameter or entry out.")
@shared_options
@click.pass_obj
def set_(session: Session, model: str, changes: tuple[str, ...], unset: tuple[str, ...]) -> None:
    """Change fields of a model's model.json.

    NAME is name, description, settings.NAME, parameters.NAME or metadata.NAME; VALUE is a text, or JSON
    such as 8192, true or ["a", "b"].
    """
    body = patch_of(changes, unset)
    server = Server.find(session)
    info = (
        server.call("PATCH", server.path(model), body)
        if server
        else msgspec.to_builtins(locally(session, lambda host: host.change(model, _read(body))))
    )
    say(f"Changed {info['id']}")
    for warning in info["warnings"]:
        say(f"{info['id']}: {warning}")


def patch_of(changes: tuple[str, ...], unset: tuple[str, ...]) -> dict[str, Any]:
    """The body of the ``PATCH`` request.

    Raises:
        ValidationError: There is nothing to change, or it is not written as NAME=VALUE.
    """
    if not changes and not unset:
        raise ValidationError("Say what to change, such as: settings.ctx_len=8192, or --unset NAME")
    body: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ValidationError(f"Write a change as NAME=VALUE; {change!r} is not.")
        _put(body, name, value_of(value))
    for name in unset:
        _put(body, name, None)
    return body


def value_of(text: str) -> Any:
    """JSON where it is some, else the text itself."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    table, dot, key = name.partition(".")
    if dot and key and table in TABLES:
        body.setdefault(table, {})[key] = value
    elif name in ("name", "description"):
        body[name] = value if value is None else str(value)
    else:
        raise ValidationError(
            f"{name!r} can't be changed. Write name, description, or one of"
            f" {', '.join(f'{table}.NAME' for table in TABLES)}."
        )


def _read(body: dict[str, Any]) -> ModelPatch:
    try:
        return msgspec.convert(body, ModelPatch)
    except msgspec.ValidationError as error:
        raise ValidationError(f"That can't be changed so: {error}") from None
