"""Composition: configuration, plugins, library, downloads and runtime become one object."""

from jan_host.host.changes import ModelPatch
from jan_host.host.host import JanHost

__all__ = ["JanHost", "ModelPatch"]
