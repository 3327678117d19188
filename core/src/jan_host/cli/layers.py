"""``jan-host models show --layers``: where each setting and parameter of a model comes from."""

from typing import Any

import click
import msgspec

from jan_host.cli.output import say, say_table
from jan_host.cli.reading import library_of
from jan_host.cli.session import Session
from jan_host.host.layers import ENGINE_DEFAULT, layers_of

MOST_CHARACTERS = 60
"""A longer value is cut in the table; ``--json`` has it whole."""


def show_layers(session: Session, model: str, *, as_json: bool) -> None:
    """Print all settings and parameters of a model with what gave each its value.

    Raises:
        ModelNotFoundError: There is no such model.
        ConfigError: An engine.json can't be read.
    """
    library = library_of(session)
    found = layers_of(library.get(model), session.plugins(), library)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    if not found:
        say(f"{model} has no settings and no parameters.")
        return
    rows = [
        (
            each.field,
            _short(each.value),
            each.source,
            "; ".join(f"{_short(layer.value)} ({layer.source})" for layer in each.covers),
        )
        for each in sorted(found, key=lambda each: (each.source == ENGINE_DEFAULT, each.field))
    ]
    say_table(("FIELD", "VALUE", "FROM", "IN PLACE OF"), rows)


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 3]}..."
