"""Who keeps a name that two plugins offer: the first distribution by name."""

from collections.abc import Iterator

from jan_host.contract.engine import Engine
from jan_host.plugins.discovery import Candidate
from jan_host.plugins.hookcheck import HOOKS
from jan_host.plugins.offers import Offers
from jan_host.plugins.problems import BrokenPluginError

CORE_COMMANDS = frozenset(
    {
        "downloads",
        "events",
        "models",
        "export",
        "import",
        "plugins",
        "ps",
        "pull",
        "quickstart",
        "rm",
        "run",
        "serve",
        "show",
        "start",
        "stop",
    }
)
"""Commands of jan-host itself, which no plugin may take. A test holds the two lists together."""


class Claims:
    """The names that are taken: of plugins, engines (aliases among them), importers, extras, commands."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], str] = {("command", name): "jan-host" for name in CORE_COMMANDS}

    def claim_plugin(self, candidate: Candidate) -> None:
        """Take the entry point's name.

        Raises:
            BrokenPluginError: Another entry point has it.
        """
        self._claim(candidate, [("plugin", candidate.name)])

    def claim_offers(self, candidate: Candidate, offers: Offers) -> None:
        """Take the names of all that a plugin offers, or of nothing.

        One name that is taken breaks the whole plugin: half a plugin, whose other half another
        distribution replaces, would be nothing that its author ever tested.

        Raises:
            BrokenPluginError: One of them is taken, or the plugin offers two things of one name.
        """
        self._claim(candidate, list(_names(offers)))

    def _claim(self, candidate: Candidate, names: list[tuple[str, str]]) -> None:
        taken = dict.fromkeys(names, candidate.distribution)
        for kind, name in names:
            owner = self._owners.get((kind, name))
            if owner is not None:
                raise _conflict(kind, name, owner, candidate)
            if names.count((kind, name)) > 1:
                raise _conflict(kind, name, candidate.distribution, candidate)
        self._owners |= taken


def _names(offers: Offers) -> Iterator[tuple[str, str]]:
    # An alias is as good as a name to a model.json; one that repeats the engine's own name is harmless, and
    # engines of one plugin may share one: a model's import format or origin then tells which is meant.
    aliases: set[str] = set()
    for offer in offers:
        own = offer.aliases - {offer.name} if isinstance(offer, Engine) else frozenset[str]()
        yield _kind(offer), offer.name
        yield from (("engine", alias) for alias in own - aliases)
        aliases |= own


def _kind(offer: object) -> str:
    return next(kind.__name__.lower() for kind in HOOKS.values() if isinstance(offer, kind))


def _conflict(kind: str, name: str, owner: str, candidate: Candidate) -> BrokenPluginError:
    own = candidate.distribution
    if owner == own:
        return BrokenPluginError(
            f"{own} offers two of kind {kind} named {name!r}", "Its author must rename one."
        )
    if owner == "jan-host":
        return BrokenPluginError(
            f"{own} offers the {kind} {name!r}, which jan-host itself has", "Its author must rename it."
        )
    return BrokenPluginError(
        f"both {owner} and {own} offer the {kind} {name!r}, and {owner} keeps it",
        f"Uninstall one of them: `pip uninstall {own}` or `pip uninstall {owner}`.",
    )
