"""A plugin's hook functions, held against the specifications of `jan_host.hooks`."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pluggy

from jan_host import hooks
from jan_host.contract.engine import Engine
from jan_host.contract.extra import Extra
from jan_host.contract.importer import Importer
from jan_host.contract.plugin import Command
from jan_host.plugins.problems import BrokenPluginError, nearest

PREFIX = "jan_"
"""Functions whose names begin so are hooks; the prefix is reserved for them."""

HOOKS: dict[str, type] = {
    "jan_engines": Engine,
    "jan_importers": Importer,
    "jan_extras": Extra,
    "jan_commands": Command,
}
"""Each hook's name, and the type of what it returns."""


def register(plugin: object, name: str) -> pluggy.PluginManager:
    """A manager that holds this plugin alone, so that one which fails leaves nothing behind.

    Raises:
        BrokenPluginError: A hook function does not fit its specification, or there is none.
    """
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    implemented = [_check_hook(plugin, name, options) for name, options in _hook_functions(manager, plugin)]
    if not implemented:
        raise BrokenPluginError(
            f"its entry point names {_what(plugin)}, which implements no hook",
            f"Name the module or object that has one of the functions {', '.join(HOOKS)}.",
        )
    manager.register(plugin, name)
    return manager


def _what(plugin: object) -> str:
    name = getattr(plugin, "__name__", None)
    return f"the {type(plugin).__name__} {name}" if name else f"a {type(plugin).__name__}"


def _hook_functions(
    manager: pluggy.PluginManager, plugin: object
) -> Iterator[tuple[str, pluggy.HookimplOpts]]:
    """Name and options of each function that is marked as a hook."""
    for name in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, name)
        if options is not None:
            yield name, options
        elif name.startswith(PREFIX) and _is_function(inspect.getattr_static(plugin, name, None)):
            raise BrokenPluginError(
                f"its function {name} begins with {PREFIX!r} like a hook, and is not marked as one",
                "Put @hookimpl above it (from jan_host import hookimpl), or rename it if it is no hook.",
            )


def _is_function(value: object) -> bool:
    return (callable(value) or isinstance(value, classmethod)) and not inspect.isclass(value)


def _check_hook(plugin: object, name: str, options: pluggy.HookimplOpts) -> str:
    hook = options.get("specname") or name
    if hook not in HOOKS:
        if not options["optionalhook"]:
            raise BrokenPluginError(
                f"its function {name} implements the hook {hook!r}, which does not exist",
                f"The hooks are {', '.join(HOOKS)}.{nearest(hook, HOOKS)}",
            )
        return hook
    if options["wrapper"] or options["hookwrapper"]:
        raise BrokenPluginError(
            f"its function {name} is a hook wrapper", "Hooks here are not wrapped: return the objects to add."
        )
    function = getattr(plugin, name)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise BrokenPluginError(
            f"its hook {name} is an async def",
            f"Hooks are synchronous: write `def {name}` and await in the methods of what it returns.",
        )
    _check_parameters(function, name, hook)
    return hook


def _check_parameters(function: Callable[..., Any], name: str, hook: str) -> None:
    allowed = list(inspect.signature(getattr(hooks, hook)).parameters)
    cure = f"Parameters of {hook} may be: {', '.join(allowed)}; all may be left out."
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        plain = parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY
        if parameter.name in allowed and not plain:
            # pluggy passes plain parameters alone, so this one would never get its value.
            raise BrokenPluginError(
                f"its hook {name} has the parameter {parameter.name!r} with a default or behind a star",
                f"Write it plainly: `def {name}({parameter.name})`.",
            )
        if parameter.name not in allowed and parameter.default is parameter.empty:
            raise BrokenPluginError(
                f"its hook {name} has the parameter {parameter.name!r}, which the hook does not have",
                cure + nearest(parameter.name, allowed),
            )
