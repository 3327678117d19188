"""The command ``jan-host`` itself: finds the sub-command, shows errors as one line.

A sub-command's module is imported when that command runs, and plugins are asked for a command
only when the core has none of that name: ``jan-host --help`` pays for neither.
"""

import difflib
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from typing import Any, NoReturn

import click

from jan_host.cli.logs import log_to_stderr
from jan_host.cli.output import say
from jan_host.cli.session import Session, shared_options
from jan_host.contract.errors import JanHostError
from jan_host.contract.plugin import Command

COMMANDS = {
    "quickstart": ("quickstart", "Fetch a small model, serve it, ask it something."),
    "serve": ("serve", "Serve the models over HTTP until Ctrl-C."),
    "run": ("run", "Ask a model in the terminal; without a prompt, chat with it."),
    "pull": ("pull", "Bring a model here."),
    "import": ("importing", "Make a model of files that are on this machine."),
    "export": ("importing", "Copy a model into a folder."),
    "downloads": ("downloads", "List what is being fetched; resume or cancel it."),
    "models": ("models", "List the models."),
    "show": ("models", "Show one model in full."),
    "rm": ("models", "Remove a model."),
    "start": ("lifecycle", "Load a model on the running server."),
    "stop": ("lifecycle", "Free a model's memory on the running server."),
    "ps": ("lifecycle", "Show what the running server has in memory."),
    "events": ("events", "Follow what happens in the running server."),
    "plugins": ("plugins", "Show what is installed, and what is broken and why."),
}
"""Each command: the module of this package that holds it, and its line in the help."""


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The core's commands; those of plugins are in ``jan-host plugins``."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, the core's or else a plugin's."""
        if cmd_name not in COMMANDS:
            return _plugin_command(ctx, cmd_name)
        module = import_module(f"jan_host.cli.{COMMANDS[cmd_name][0]}")
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])


def _runner(command: Command) -> Callable[[tuple[str, ...]], int]:
    def run(arguments: tuple[str, ...]) -> int:  # click passes arguments by this name
        return command.run(arguments)

    return run


def _plugin_command(ctx: click.Context, name: str) -> click.Command | None:
    session = ctx.find_object(Session)
    if session is None or name.startswith("-"):
        return None
    found = next((command for command in session.plugins().commands() if command.name == name), None)
    if found is None:
        nearest = difflib.get_close_matches(name, COMMANDS, n=1)
        ctx.fail(f"There is no command {name!r}." + (f" The nearest is {nearest[0]!r}." if nearest else ""))
    return click.Command(
        name,
        callback=_runner(found),
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
        help=found.summary,
    )


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True
)
@click.version_option(package_name="jan-host", message="jan-host %(version)s")
@shared_options
@click.pass_context
def jan_host(ctx: click.Context) -> None:
    """A host for AI models on your own machine, with an OpenAI-compatible API."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code: 0, 1 after an error, 2 after a wrong call."""
    # A command shows its error itself, in one line; `serve` turns the log up again.
    log_to_stderr(os.environ.get("JAN_HOST_LOGGING_LEVEL") or "critical")
    sys.exit(_guarded(arguments))


def _guarded(arguments: list[str] | None) -> int:
    try:
        result: Any = jan_host.main(arguments, prog_name="jan-host", standalone_mode=False, obj=Session())
        code = result if isinstance(result, int) else 0
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except click.UsageError as error:
        help_command = f"{error.ctx.command_path if error.ctx else 'jan-host'} --help"
        code = _say(f"{error.format_message()} See: {help_command}", error.exit_code)
    except click.ClickException as error:
        code = _say(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except JanHostError as error:
        code = _say(error.message)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        code = _say(f"{error.filename or 'The system'}: {error.strerror or error}")
    except Exception as error:  # a user never sees a traceback unless asking for it
        if os.environ.get("JAN_HOST_LOGGING_LEVEL", "").lower() == "debug":
            traceback.print_exc()
        code = _say(
            f"Unexpected {type(error).__name__}: {error}. Set JAN_HOST_LOGGING_LEVEL=debug to see where, and"
            " report it."
        )
    return code


def _say(message: str, code: int = 1) -> int:
    say(f"jan-host: {' '.join(message.split())}", stderr=True)
    return code
