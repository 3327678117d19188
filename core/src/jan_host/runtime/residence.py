"""One model's place in memory: at most one instance, how it comes, what it holds, how it goes."""

from collections.abc import Callable

from jan_host.contract.engine import Footprint, LoadedModel
from jan_host.contract.errors import InsufficientMemoryError, JanHostError, ModelLoadError, UnavailableError
from jan_host.contract.model import ModelStatus
from jan_host.runtime.admission import Admission
from jan_host.runtime.arrival import Arrival
from jan_host.runtime.cooldown import Cooldown
from jan_host.runtime.departure import Departure
from jan_host.runtime.faults import describe_error
from jan_host.runtime.footprints import footprint_of
from jan_host.runtime.launch import Instance, Launch, Place
from jan_host.runtime.notice import Notice
from jan_host.runtime.resident import Standing
from jan_host.runtime.usage import Usage


class Residence:
    """A `Resident` for the admission of others. Used on one event loop.

    Args:
        model_id: The model's id.
        notice: Tells users of each change.
        usage: The model's requests.
        cooldown: Told of successes and failures.
        place: Where a launch's model is to live.
        admission: Makes room for it.
        settled: Called when the model has come, or stays though it was to leave.
    """

    def __init__(
        self,
        model_id: str,
        *,
        notice: Notice,
        usage: Usage,
        cooldown: Cooldown,
        place: Callable[[Launch], Place],
        admission: Admission,
        settled: Callable[[], None],
    ) -> None:
        self.model_id = model_id
        self.launch: Launch | None = None
        """What was started last."""
        self.is_pinned = False
        self.instance: Instance | None = None
        self.arrival: Arrival | None = None
        """The last start."""
        self.departure: Departure | None = None
        """The way out, while it goes there."""
        self._promised: Footprint | None = None
        self._notice = notice
        self._usage = usage
        self._cooldown = cooldown
        self._place = place
        self._admission = admission
        self._settled = settled

    @property
    def model(self) -> LoadedModel | None:
        """What requests are sent to; ``None`` while it comes, goes or is not there."""
        return None if self.instance is None or self.departure is not None else self.instance.model

    @property
    def is_taken(self) -> bool:
        """Whether the model is in memory, or on its way in or out."""
        return self.instance is not None or self.departure is not None or self._is_starting

    @property
    def _is_starting(self) -> bool:
        return self.arrival is not None and self.arrival.is_under_way

    @property
    def footprint(self) -> Footprint | None:
        """What it was promised, or holds already where that is more."""
        promised, instance = self._promised, self.instance
        if promised is None or instance is None or instance.memory is None:
            return promised
        return Footprint(ram=max(promised.ram, instance.memory), device=promised.device)

    @property
    def standing(self) -> Standing:
        """See `Resident`."""
        if self.departure is not None:
            yields = self.departure.can_be_called_off and self._usage.active
            return Standing.YIELDING if yields else Standing.GOING
        if self._is_starting or (self.arrival is not None and self.arrival.is_awaited):
            return Standing.COMING
        return Standing.BUSY if self._usage.is_busy else Standing.IDLE

    @property
    def requests(self) -> int:
        """See `Resident`."""
        return self._usage.active

    @property
    def used_at(self) -> float:
        """See `Resident`."""
        return self._usage.used_at

    def leave(self, newcomer: str) -> None:
        """See `Resident`."""
        if self.departure is not None:
            self.departure.resume()
        elif self.standing in (Standing.IDLE, Standing.BUSY):
            # An idle one goes for certain: where two could, they would else take turns in staying.
            self.depart(f"its memory is needed for {newcomer}", can_be_called_off=self._usage.active > 0)

    def stay(self) -> None:
        """See `Resident`."""
        if self.standing is Standing.YIELDING and self.departure is not None:
            self.departure.call_off()

    def arrive(self, launch: Launch) -> Arrival:
        """Begin to start the model."""
        crash = self._cooldown.last_crash
        past = None if crash is None else f"restarted after: {crash}"
        self.launch = launch
        self._notice.set(ModelStatus.STARTING, past)
        self.arrival = Arrival(lambda: self._start(launch, past), self._given_up, self._admission.changed)
        return self.arrival

    def depart(self, reason: str | None, *, can_be_called_off: bool = False) -> Departure:
        """Begin to leave."""
        self._usage.forget_rest()
        self._notice.set(ModelStatus.STOPPING, reason)
        self.departure = Departure(
            self.arrival, self._usage, self._free, self._departed, can_be_called_off=can_be_called_off
        )
        return self.departure

    async def _start(self, launch: Launch, past: str | None) -> None:
        try:
            await self._admission.admit(self, lambda: footprint_of(launch), self._promise)
            self.instance = await self._place(launch).start(launch, self._notice.progress, self._died)
        except JanHostError as error:
            self._failed(error)
            raise
        except Exception as error:
            # Nothing of this kind is known; if there is one, the model must not hang between two states.
            failure = ModelLoadError(f"{self.model_id} could not be started: {describe_error(error)}")
            self._failed(failure)
            raise failure from error
        self._cooldown.started()
        self._tell(ModelStatus.RUNNING, past)
        self._settled()

    def _promise(self, footprint: Footprint) -> None:
        self._promised = footprint
        if self.arrival is not None:
            self.arrival.is_admitted = True

    def _given_up(self) -> None:
        self._vacate()
        self._tell(None, None)

    def _failed(self, error: JanHostError) -> None:
        self._vacate()
        # That there is no room costs nothing to find out again.
        if not isinstance(error, InsufficientMemoryError | UnavailableError):
            self._cooldown.start_failed()
        self._tell(ModelStatus.FAILED, error.message)

    def _died(self, reason: str) -> None:
        self._vacate()
        self._usage.forget_rest()
        self._cooldown.crashed(reason)
        self._tell(ModelStatus.FAILED, reason)

    def _tell(self, status: ModelStatus | None, reason: str | None) -> None:
        """How a start or a life ended; what leaves already is told to stop, and nothing else."""
        if self.departure is None:
            self._notice.set(status, reason)

    async def _free(self) -> None:
        if self.instance is not None:
            await self.instance.close()

    def _departed(self, stays: bool) -> None:
        self.departure = None
        self._usage.left()
        if stays and self.instance is not None:
            self._notice.set(ModelStatus.RUNNING, "it need not leave for another any more")
            self._settled()
        else:
            self._cooldown.last_crash = None
            self._vacate()
            self._notice.set(None)
        self._admission.changed()

    def _vacate(self) -> None:
        """It holds nothing any more."""
        self.instance = self._promised = None
        self._admission.changed()
