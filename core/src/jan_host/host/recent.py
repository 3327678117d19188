"""Plans that were shown a moment ago."""

import time

import msgspec

from jan_host.contract.importer import ImportPlan, PullRequest

RECENT_SECONDS = 60.0
MOST_RECENT = 16


class RecentPlans:
    """What was shown a moment ago: a pull that follows does just that, and asks nobody again."""

    def __init__(self) -> None:
        self._plans: dict[bytes, tuple[float, ImportPlan]] = {}

    def keep(self, request: PullRequest, local: bool, plan: ImportPlan) -> ImportPlan:
        """Remember a plan, and return it."""
        now = time.monotonic()
        kept = [item for item in self._plans.items() if now - item[1][0] < RECENT_SECONDS]
        self._plans = dict(kept[-MOST_RECENT:]) | {_key(request, local): (now, plan)}
        return plan

    def take(self, request: PullRequest, local: bool) -> ImportPlan | None:
        """The plan of this very request, if it is recent; the next pull asks anew."""
        made, plan = self._plans.pop(_key(request, local), (0.0, None))
        return plan if time.monotonic() - made < RECENT_SECONDS else None


def _key(request: PullRequest, local: bool) -> bytes:
    return msgspec.msgpack.encode((request, local))
