"""How repositories lay out their models: what belongs together, and what are variants of each other."""

from jan_host_huggingface.layouts.bundle import Bundle
from jan_host_huggingface.layouts.finding import find_bundles

__all__ = ["Bundle", "find_bundles"]
