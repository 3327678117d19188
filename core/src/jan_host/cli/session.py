"""What every command shares: where the root is, which server to talk to, the configuration."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jan_host.config import Config, load_config

if TYPE_CHECKING:
    from jan_host.plugins import Plugins

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """The options that stand before or behind any command."""

    root: Path | None = None
    url: str | None = None

    def config(self, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Config:
        """The configuration, with what the command's own options say on top."""
        return load_config(self.root, os.environ, overrides)

    def plugins(self) -> "Plugins":
        """What is installed."""
        from jan_host.plugins import load_plugins  # `jan-host --help` does not pay for it

        config = self.config()
        return load_plugins(
            disabled=config.plugins.disabled,
            settings=config.plugin_settings,
            data_folder=config.plugin_data_folder,
        )


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    session = ctx.ensure_object(Session)
    if value is not None and parameter.name is not None:
        setattr(session, parameter.name, value)


def shared_options(function: FunctionT) -> FunctionT:
    """The options ``--root`` and ``--url``, before or behind a command's name."""
    root = click.option(
        "--root",
        type=click.Path(file_okay=False, path_type=Path),
        expose_value=False,
        callback=_remember,
        help="Where models and configuration are (JAN_HOST_ROOT).",
    )
    url = click.option(
        "--url",
        expose_value=False,
        callback=_remember,
        help="The server to talk to (JAN_HOST_URL).",
    )
    return root(url(function))
