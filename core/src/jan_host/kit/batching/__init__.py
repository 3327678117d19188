"""Texts of many requests are computed together: what waits while runs compute is the next run.

Nothing waits for company: a lone text is run at once. Reading order: `texts` (what is computed, and how much
at once), `waiting` (whose turn it is, and which texts go together), `batcher` (the threads that compute).
"""

from jan_host.kit.batching.batcher import Batcher, InterruptedRunError, Lane
from jan_host.kit.batching.texts import Limits, Tokens

__all__ = ["Batcher", "InterruptedRunError", "Lane", "Limits", "Tokens"]
