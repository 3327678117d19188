"""The attributes of an engine, importer, extra or command, held against the contract."""

import re
from collections.abc import Mapping
from typing import get_args

import msgspec

from jan_host.contract.engine import Engine, Place
from jan_host.contract.plugin import Command
from jan_host.plugins.hookcheck import HOOKS
from jan_host.plugins.problems import BrokenPluginError
from jan_host.plugins.settings import is_struct

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
"""Names become folders, words of a command line and schemes in front of a colon."""
NAME_RULE = "Letters, digits and . _ + - behind a letter or digit are allowed."


def check_item(hook: str, item: object) -> None:
    """See that `item` is what `hook` may return.

    Raises:
        BrokenPluginError: It is not; names the attribute that is at fault.
    """
    kind = HOOKS[hook]
    if isinstance(item, type) and issubclass(item, kind):
        raise BrokenPluginError(
            f"its hook {hook} returned the class {item.__name__}", f"Return an instance: {item.__name__}()."
        )
    if not isinstance(item, kind):
        raise BrokenPluginError(
            f"its hook {hook} returned a {type(item).__name__} where a jan_host.{kind.__name__} is expected",
            f"Return instances of jan_host.{kind.__name__}.",
        )
    who = f"its {kind.__name__.lower()} {type(item).__name__}"
    _check_name(who, getattr(item, "name", None))
    if isinstance(item, Engine):
        _check_engine(who, item)
    if isinstance(item, Command) and not callable(item.run):
        raise BrokenPluginError(f"{who} {item.name!r} has a run that can't be called", "Give it a function.")


def is_name(value: object) -> bool:
    """Whether `value` can be the name of a plugin or of something that it adds."""
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _check_name(who: str, value: object) -> None:
    if not is_name(value):
        raise BrokenPluginError(f"{who} has the name {value!r}", f"Give it a name: a text. {NAME_RULE}")


def _check_engine(who: str, engine: Engine) -> None:
    for attribute in ("aliases", "formats"):
        value = getattr(engine, attribute)
        if not isinstance(value, frozenset) or not all(isinstance(each, str) and each for each in value):
            raise BrokenPluginError(
                f"{who} has the {attribute} {value!r}", f'Write {attribute} = frozenset({{"...", "..."}}).'
            )
    if engine.runs_in not in get_args(Place):
        places = " or ".join(map(repr, get_args(Place)))
        raise BrokenPluginError(f"{who} has runs_in {engine.runs_in!r}", f"It may be {places}.")
    variables = engine.environment
    if not isinstance(variables, Mapping) or not all(
        isinstance(each, str) for pair in variables.items() for each in pair
    ):
        raise BrokenPluginError(f"{who} has the environment {variables!r}", "Make it a dict of texts.")
    _check_settings(who, engine.Settings)


def _check_settings(who: str, settings: object) -> None:
    if not is_struct(settings):
        raise BrokenPluginError(
            f"{who} has the Settings {settings!r}", "Make it a subclass of msgspec.Struct."
        )
    required = [field.name for field in msgspec.structs.fields(settings) if field.required]  # type: ignore[arg-type]  # is_struct said so
    if required:
        raise BrokenPluginError(
            f"{who} has Settings whose field {required[0]!r} has no default",
            "Give every field a default: a model may be started without any settings.",
        )
