"""The life of one model: started for all who want it, leased to requests, rested, stopped, started anew."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from jan_host.config import RuntimeConfig
from jan_host.contract.engine import LoadedModel
from jan_host.contract.errors import (
    JanHostError,
    ModelCoolingDownError,
    TooManyRequestsError,
    UnavailableError,
)
from jan_host.contract.events import Event
from jan_host.runtime.admission import Admission
from jan_host.runtime.cooldown import Cooldown
from jan_host.runtime.faults import same_error
from jan_host.runtime.launch import Launch, Place, RuntimeStatus
from jan_host.runtime.notice import Notice
from jan_host.runtime.residence import Residence
from jan_host.runtime.usage import Usage

_RETRY_SECONDS = 1.0
ANEW = "it is started anew with other settings"
UNUSED = "nobody used it"


class Supervisor:
    """Decides when one model starts and stops; its `residence` carries that out.

    Args:
        model_id: The model's id.
        config: Limits and pauses.
        publish: Told of each change.
        place: Where a launch's model is to live.
        admission: Makes room for it in memory.
    """

    def __init__(
        self,
        model_id: str,
        config: RuntimeConfig,
        publish: Callable[[Event], None],
        place: Callable[[Launch], Place],
        admission: Admission,
    ) -> None:
        self._model_id = model_id
        self._config = config
        self._admission = admission
        self._cooldown = Cooldown(config)
        self._notice = Notice(model_id, publish)
        self._usage = Usage(self._idle, self._unused)
        self.residence = Residence(
            model_id,
            notice=self._notice,
            usage=self._usage,
            cooldown=self._cooldown,
            place=place,
            admission=admission,
            settled=self._settled,
        )
        self._wanted: Launch | None = None
        self._by_hand = False
        self._ended: JanHostError | None = None

    def status(self) -> RuntimeStatus:
        """How the model stands."""
        residence, instance = self.residence, self.residence.instance
        launch = residence.launch if residence.is_taken else None
        return RuntimeStatus(
            status=self._notice.status,
            reason=self._notice.reason,
            capabilities=[] if instance is None else instance.capabilities,
            requests=self._usage.active,
            pid=None if instance is None else instance.pid,
            memory=None if instance is None else instance.memory,
            settings=None if launch is None else launch.settings,
            overrides={} if launch is None else launch.overrides,
            pinned=instance is not None and residence.is_pinned,
            rests_until=self._usage.rests_until,
        )

    async def start(self, launch: Launch, *, explicit: bool = False) -> LoadedModel:
        """The running model, started if it is not; one start serves all who wait.

        Args:
            launch: How to start it. Who asks last is heard, also for those who wait already.
            explicit: Somebody asked for it: try now, whatever failed before; and where the model runs
                with other settings, start it anew.

        Raises:
            ModelCoolingDownError: It failed a moment ago.
            JanHostError: The start failed, or the model was stopped meanwhile.
        """
        with self._usage.queued():
            return await self._ready(launch, explicit=explicit)

    @asynccontextmanager
    async def lease(self, launch: Launch) -> AsyncIterator[LoadedModel]:
        """The running model for one request, which a stop waits for.

        Raises:
            TooManyRequestsError: `RuntimeConfig.max_waiting` requests are there already.
            JanHostError: As `start`.
        """
        usage = self._usage
        if usage.active + usage.waiting >= self._config.max_waiting:
            raise TooManyRequestsError(
                f"{self._config.max_waiting} requests wait for {self._model_id} already. Try again later.",
                retry_after=_RETRY_SECONDS,
            )
        with usage.queued():
            model = await self._ready(launch, explicit=False)
            usage.begin()
        try:
            yield model
        finally:
            usage.end()

    async def stop(self, drain_seconds: float, reason: str | None = None) -> None:
        """Let the running requests end, then free the model. A start that is under way is given up.

        A failure of the past is forgotten.
        """
        residence = self.residence
        self._by_hand = False
        if not residence.is_taken:
            self._forget_failure()
            return
        departure = residence.departure or residence.depart(reason)
        departure.insist()
        self._usage.limit_drain(drain_seconds)
        await departure.over()

    async def end(self, drain_seconds: float, error: JanHostError) -> None:
        """Stop, and never start again: who asks for it from now on, or waits for it, gets the error."""
        self._ended = error
        await self.stop(drain_seconds)

    async def _ready(self, launch: Launch, *, explicit: bool) -> LoadedModel:
        residence = self.residence
        if explicit and not residence.is_taken:
            self._cooldown.clear()
        self._want(launch)
        self._by_hand |= explicit
        while True:
            if self._ended is not None:
                raise same_error(self._ended)
            if residence.departure is not None:
                await residence.departure.over()
            elif residence.model is None:
                await self._join_start()
            elif explicit and self._is_outdated():
                await self.stop(self._config.stop_seconds, ANEW)
                self._by_hand = True
            else:
                if explicit:
                    residence.launch = self._wanted
                return residence.model

    def _want(self, launch: Launch) -> None:
        self._wanted = launch
        pinned = launch.keep_alive is not None and launch.keep_alive < 0
        if pinned != self.residence.is_pinned:
            self.residence.is_pinned = pinned
            self._admission.changed()

    def _is_outdated(self) -> bool:
        """Whether the model runs with other settings than are wanted now."""
        running, wanted = self.residence.launch, self._wanted
        return running is not None and wanted is not None and running.settings != wanted.settings

    async def _join_start(self) -> None:
        arrival = self.residence.arrival
        if arrival is not None and arrival.is_under_way and arrival.is_given_up:
            await arrival.over()
            return
        if arrival is None or not arrival.is_under_way:
            self._check_cooldown()
            assert self._wanted is not None  # who comes here has said how
            arrival = self.residence.arrive(self._wanted)
        if not await arrival.join() and self._ended is None:
            raise UnavailableError(f"{self._model_id} was stopped while it was starting.")

    def _check_cooldown(self) -> None:
        seconds = self._cooldown.remaining()
        if seconds > 0:
            raise ModelCoolingDownError(
                f"{self._model_id} failed a moment ago and is tried again in {math.ceil(seconds)} s;"
                f" start it by hand to try now. What happened: {self._notice.reason}",
                retry_after=seconds,
            )

    def _forget_failure(self) -> None:
        self._cooldown.clear()
        if self._notice.status is not None:
            self._notice.set(None)

    def _settled(self) -> None:
        if not self._usage.is_busy:
            self._idle()

    def _idle(self) -> None:
        """Nobody has the model or waits for it."""
        if self.residence.model is not None:
            self._usage.rest(self._rest_seconds())
        self._admission.changed()

    def _rest_seconds(self) -> float:
        """How long the model may be idle; below zero: for ever."""
        keep_alive = None if self._wanted is None else self._wanted.keep_alive
        if keep_alive is not None:
            return keep_alive
        return -1 if self._by_hand else self._config.keep_alive_seconds

    def _unused(self) -> None:
        if self.residence.model is not None and not self._usage.is_busy:
            self.residence.depart(UNUSED)
