"""The plugins that are installed: found, loaded each in its own containment, and reported.

Reading order: `discovery` (which entry points there are), `importing` (from an entry point to
an object), `hookcheck` (its hooks against the specification), `offers` (what its hooks return),
`claims` (who keeps a name that two offer), `loading` (all of that, plugin by plugin), `registry`
(what the rest of the host asks).
"""

from jan_host.plugins.claims import CORE_COMMANDS
from jan_host.plugins.loading import load_engine, load_plugins
from jan_host.plugins.origin import EngineOrigin
from jan_host.plugins.registry import Plugins

__all__ = ["CORE_COMMANDS", "EngineOrigin", "Plugins", "load_engine", "load_plugins"]
