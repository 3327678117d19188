"""Composition: configuration, plugins, library, downloads and runtime become one object."""

from jan_host.host.changes import ModelPatch
from jan_host.host.host import JanHost
from jan_host.intake.discoveries import Found
from jan_host.intake.local import LocalImport

__all__ = ["Found", "JanHost", "LocalImport", "ModelPatch"]
