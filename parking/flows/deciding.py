"""The first transaction of a car that was read: one decision, whoever asks for it and how often."""

from uuid import UUID

from parking.flows import display, doubts, entry, reads
from parking.flows.context import ParkingContext
from parking.flows.exit import NO_SESSION, ExitFlow
from parking.flows.lane_types import Action, Decision, Direction, Heading, Lane, ReadSource
from parking.flows.payments.step import Step
from parking.kit.database import UnitOfWork
from parking.lanes import service as lanes
from parking.lanes.models import Presentation
from parking.plates import service as plates
from parking.plates.reads import PlateRead
from parking.reviews.models import ReviewKind

CAR_GONE = "car_gone"
WRONG_WAY = "wrong_way"


class Deciding:
    """Decides on one car.

    Args:
        context: The domain's surroundings.
        lane: Where the car stands.
        read: Its plate.
        source: Who read it.
        timings_ms: Filled by step.
    """

    def __init__(
        self,
        context: ParkingContext,
        lane: Lane,
        read: PlateRead,
        source: ReadSource,
        timings_ms: dict[str, float],
    ) -> None:
        self._context = context
        self._lane = lane
        self._read = read
        self._source = source
        self._timings_ms = timings_ms

    async def step(self, unit: UnitOfWork, presentation_id: UUID) -> Step:
        """Return what to do with the car: decided now, or before."""
        lane = self._lane
        presentation = await lanes.lock_presentation(
            unit, lane.operator_id, lane.lane_id, presentation_id
        )
        if presentation.decided_at is not None:
            if lane.direction == Direction.ENTRY:
                return await entry.repeat(unit, presentation)
            flow = ExitFlow(self._context, unit, presentation, self._timings_ms)
            return await flow.go_on(is_takeover=False)
        reason = self._unusable(presentation)
        if reason is not None:
            lanes.decide(unit, presentation, action=Action.REFUSE, reason=reason)
            if reason == entry.PLATE_UNSURE:
                await doubts.note(unit, presentation, ReviewKind.NOT_READABLE, self._read)
            return Decision(Action.REFUSE, reason, None, display.refused(reason))
        return await self._decide(unit, presentation)

    def _unusable(self, presentation: Presentation) -> str | None:
        """Return why the car is not even looked for; None where it is."""
        if presentation.cleared_at is not None:
            return CAR_GONE
        if not plates.is_plate(self._read.text):
            return entry.PLATE_UNSURE
        return WRONG_WAY if self._source.heading == Heading.AWAY else None

    async def _decide(self, unit: UnitOfWork, presentation: Presentation) -> Step:
        read, source = await reads.newest(unit, presentation, self._read, self._source)
        index = plates.plate_index(unit.vault, read.text)
        if self._lane.direction == Direction.ENTRY:
            step: Step = await entry.decide(
                self._context, unit, self._lane, presentation, read, index
            )
        else:
            flow = ExitFlow(self._context, unit, presentation, self._timings_ms)
            step = await flow.begin(self._lane, read, index)
        await reads.observe(unit, presentation, read, index, source)
        kind = _doubt(presentation, source)
        if kind is not None:
            session_id = presentation.session_id
            await doubts.note(unit, presentation, kind, read, session_id=session_id)
        return step


def _doubt(presentation: Presentation, source: ReadSource) -> ReviewKind | None:
    """Return why staff should look at what was decided; None where nothing is doubtful."""
    if presentation.reason == entry.PLATE_UNSURE:
        return ReviewKind.NOT_READABLE
    if presentation.reason == NO_SESSION:
        return ReviewKind.NO_SESSION
    is_guess = source.is_fallback and presentation.session_id is not None
    return ReviewKind.UNSURE_READ if is_guess else None
