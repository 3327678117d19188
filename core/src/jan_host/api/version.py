"""Which jan-host answers."""

from importlib.metadata import version

VERSION = version("jan-host")
FINGERPRINT = f"jan-host-{VERSION}"
"""OpenAI's ``system_fingerprint``: what, beside the seed, an answer depends on."""
