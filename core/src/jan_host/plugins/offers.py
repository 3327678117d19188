"""What a plugin's hooks return: asked for once, each item checked."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pluggy

from jan_host.contract.engine import Engine
from jan_host.contract.extra import Extra
from jan_host.contract.importer import Importer
from jan_host.contract.plugin import Command, PluginContext
from jan_host.plugins.hookcheck import HOOKS
from jan_host.plugins.itemcheck import check_item
from jan_host.plugins.problems import BrokenPluginError, contained

Offer = Engine | Importer | Extra | Command
"""What a plugin can add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """All that one plugin adds."""

    engines: tuple[Engine, ...] = ()
    importers: tuple[Importer, ...] = ()
    extras: tuple[Extra, ...] = ()
    commands: tuple[Command, ...] = ()

    def __iter__(self) -> Iterator[Offer]:
        yield from self.engines
        yield from self.importers
        yield from self.extras
        yield from self.commands


def collect_offers(manager: pluggy.PluginManager, context: PluginContext, cure: str) -> Offers:
    """Call every hook of the one plugin that `manager` holds.

    Args:
        manager: From `jan_host.plugins.hookcheck.register`.
        context: What the hooks get.
        cure: What to tell the user when a hook raises.

    Raises:
        BrokenPluginError: A hook raised, or returned something else than its specification says.
    """
    return Offers(
        **{hook.removeprefix("jan_"): tuple(call_hook(manager, hook, context, cure)) for hook in HOOKS}
    )


def call_hook(manager: pluggy.PluginManager, hook: str, context: PluginContext, cure: str) -> list[Any]:
    """The items that the plugin returns from one hook, checked; see `collect_offers`."""
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    with contained(f"its hook {hook} failed", cure):
        results = caller(context=context)
        # pluggy leaves a None out of the results.
        results += [None] * (len(caller.get_hookimpls()) - len(results))
        items = [item for result in results for item in _iterable(hook, result)]
        for item in items:
            check_item(hook, item)
    return items


def _iterable(hook: str, result: object) -> Iterable[Any]:
    if inspect.iscoroutine(result):
        result.close()  # else Python warns, much later, that nobody awaited it
    if isinstance(result, Iterable) and not isinstance(result, str | bytes | Mapping):
        return result
    kind = HOOKS[hook].__name__
    given = "nothing" if result is None else f"a {type(result).__name__}"
    raise BrokenPluginError(
        f"its hook {hook} returned {given}, not a list of objects of type {kind}",
        f"Return a list, such as [My{kind}()]; an empty one when there is nothing to add.",
    )
