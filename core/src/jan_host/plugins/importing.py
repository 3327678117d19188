"""From an entry point to the object that it names, and why that may fail."""

import importlib
from functools import reduce
from typing import Any

import importlib_metadata
from importlib_metadata import EntryPoint
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from jan_host.plugins.discovery import Candidate
from jan_host.plugins.problems import BrokenPluginError, describe, logger

CORE = "jan_host"


def import_plugin(candidate: Candidate) -> Any:
    """The module or object that the entry point names.

    Raises:
        BrokenPluginError: It can't be had, whatever its import raised.
    """
    match = EntryPoint.pattern.match(candidate.value)
    if match is None:
        raise BrokenPluginError(
            f"its entry point {candidate.value!r} names no module",
            "Write it as 'package.module' or 'package.module:object'.",
        )
    path = match["attr"].split(".") if match["attr"] else []
    try:
        module = importlib.import_module(match["module"])
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        logger.debug("The traceback of a plugin's failed import", exc_info=error)
        raise _import_problem(error, match["module"], candidate) from error
    try:
        return reduce(getattr, path, module)
    except AttributeError as error:
        raise BrokenPluginError(
            f"its entry point names {match['attr']!r}, which the module {match['module']!r} does not have",
            f"{reinstall(candidate)}, or report it to its author.",
        ) from error


def reinstall(candidate: Candidate) -> str:
    """The beginning of a cure: how to mend an installation."""
    return f"Install it anew with `pip install --force-reinstall {candidate.distribution}`"


def update(candidate: Candidate) -> str:
    """A cure for a fault in the plugin's own code."""
    return (
        f"Update it with `pip install --upgrade {candidate.distribution}` or report it to its author;"
        f' `[plugins] disabled = ["{candidate.name}"]` in config.toml switches it off.'
    )


def _import_problem(error: BaseException, module: str, candidate: Candidate) -> BrokenPluginError:
    missing = (error.name or "") if isinstance(error, ImportError) else ""
    top = missing.partition(".")[0]
    if top == CORE:
        return BrokenPluginError(
            f"it was written for another version of jan-host: {describe(error)}",
            f"Update both with `pip install --upgrade jan-host {candidate.distribution}`.",
        )
    if not missing or not isinstance(error, ModuleNotFoundError):
        return BrokenPluginError(f"its import failed: {describe(error)}", update(candidate))
    if top == module.partition(".")[0]:
        return BrokenPluginError(f"its module {missing!r} is missing", f"{reinstall(candidate)}.")
    return BrokenPluginError(
        f"it needs the module {missing!r}, which is not installed",
        f"Install it with `pip install {_requirement(top, candidate)}`.",
    )


def _requirement(module: str, candidate: Candidate) -> str:
    """What to give to pip for a module: the plugin's own requirement of that name, else the name."""
    try:
        names = [Requirement(text).name for text in importlib_metadata.requires(candidate.distribution) or ()]
    except Exception:  # foreign metadata; the module's own name is a good guess too
        names = []
    return next((name for name in names if canonicalize_name(name) == canonicalize_name(module)), module)
