"""The lane's use cases, as the gate bridge calls them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from uuid import UUID

from parking.flows import (
    doubts,
    entry,
    passage,
    read_correction,
    reads,
    turned_away,
)
from parking.flows.context import ParkingContext
from parking.flows.deciding import Deciding
from parking.flows.exit import ExitFlow, GatePayment
from parking.flows.lane_types import (
    UNTRACKED,
    Action,
    BarrierEvent,
    Connection,
    Decision,
    Direction,
    FrameUpload,
    Lane,
    LaneEvent,
    LaneReport,
    ObservationMethod,
    OpenCommand,
    PresentationState,
    ReadSource,
    ReadState,
    TrackedCar,
)
from parking.flows.offline.lane_offline import OfflineLane
from parking.flows.payments.charging import call_provider
from parking.flows.payments.deadline import GATE_DEADLINE_S, Deadline
from parking.flows.payments.step import Step
from parking.flows.release import OPEN_TTL_MS, has_moved_on
from parking.flows.usual_events import UsualEvents
from parking.kit.database import ConflictError, UnitOfWork
from parking.kit.errors import UnavailableError
from parking.lanes import repository as lane_rows
from parking.lanes import service as lanes
from parking.lanes.health import write_reports
from parking.lanes.models import CommandState, Frame, LaneEventRow, Presentation
from parking.occupancy import repository as occupancy_rows
from parking.occupancy.errors import AreaFullError
from parking.places import service as places
from parking.plates.reads import PlateRead
from parking.reviews.models import ReviewKind

CONFLICT_TRIES_MAX = 4
STEPS_MAX = 12
# A car that came longer ago than this, by its lane's clock, is taken to have come then.
PRESENTATION_AGE_MAX = timedelta(minutes=5)


class LaneFlows(OfflineLane):
    """The lane's use cases; each may be repeated and then changes nothing."""

    def __init__(self, context: ParkingContext) -> None:
        super().__init__(context)
        self._database = context.database
        self._usual = UsualEvents(context.database)

    async def authenticate(self, lane_id: UUID, token: str) -> Lane:
        """Return the lane whose device token this is.

        Raises:
            LaneUnknownError: unknown lane, or the token of another one.
        """
        async with self._database.begin() as unit:
            row = await places.prove_lane(unit, lane_id, token)
        return Lane(
            row.operator_id, row.place_id, row.id, row.area_id, Direction(row.direction), row.name
        )

    async def connect(self, lane: Lane, bridge: str) -> Connection:
        """Open a new epoch for the lane; the older ones are stale from here on."""
        async with self._database.begin() as unit:
            epoch, last_seq = await lanes.connect(unit, lane.operator_id, lane.lane_id, bridge)
        return Connection(epoch, last_seq)

    async def present(
        self, lane: Lane, event: LaneEvent, presentation_id: UUID, state: PresentationState
    ) -> int:
        """Record that a car came or left; return the lane's last committed seq."""
        if await self._keep_presented(lane, event, presentation_id, state):
            return event.seq
        async with self._database.begin() as unit:
            row = self._event_row(unit, lane, event, lanes.EVENT_PRESENTATION, presentation_id)
            row.detail = {"state": state}
            if await lanes.record_event(unit, row):
                await self._place_car(unit, lane, event, presentation_id, state)
        return event.seq

    async def store_frame(self, lane: Lane, frame: FrameUpload) -> None:
        """Keep a picture durably."""
        async with self._database.begin() as unit:
            await lanes.store_frame(
                unit,
                Frame(
                    operator_id=lane.operator_id,
                    id=frame.frame_id,
                    lane_id=lane.lane_id,
                    presentation_id=frame.presentation_id,
                    captured_at=frame.captured_at,
                    received_at=unit.now(),
                    content_type=frame.content_type,
                    image=frame.image,
                ),
            )

    async def record_observation(
        self,
        lane: Lane,
        event: LaneEvent,
        presentation_id: UUID,
        read: PlateRead,
        source: str,
        car: TrackedCar = UNTRACKED,
    ) -> int:
        """Record that a camera read a plate itself; return the lane's last committed seq."""
        sealed = reads.seal(self._context.vault, read, source, car)
        is_news = car.state == ReadState.UPDATED and not car.is_backfill
        if not is_news and await self._usual.read(lane, event, presentation_id, sealed):
            return event.seq
        async with self._database.begin() as unit:
            row = self._event_row(unit, lane, event, reads.EVENT_OBSERVATION, presentation_id)
            row.detail, row.read_sealed = sealed.detail, sealed.sealed
            if await lanes.record_event(unit, row) and not car.is_backfill:
                named = ReadSource(ObservationMethod.CAMERA, source, car.heading)
                await read_correction.consider(
                    self._context, unit, lane, row, read_correction.NewRead(read, named, car.state)
                )
        return event.seq

    async def record_barrier_event(self, lane: Lane, event: BarrierEvent) -> int:
        """Record physical feedback, which ends a session; return the last committed seq."""
        if await self._usual.barrier(lane, event):
            return event.event.seq
        async with self._database.begin() as unit:
            row = self._event_row(unit, lane, event.event, event.kind, event.presentation_id)
            row.command_id = event.command_id
            row.detail = {"operator": event.operator, "reason": event.reason}
            if await lanes.record_event(unit, row):
                await passage.follow(unit, lane, event)
        return event.event.seq

    async def decide(
        self, lane: Lane, presentation_id: UUID, read: PlateRead, source: ReadSource
    ) -> Decision:
        """Decide on a presentation, once: a repeated call returns what was decided.

        Args:
            lane: Where the car stands.
            presentation_id: The car.
            read: The plate.
            source: Who read it, for the record of the observation.
        """
        timings_ms: dict[str, float] = {}
        started = perf_counter()
        step = await self._first_step(lane, presentation_id, read, source, timings_ms)
        decision = await self._finish(lane, presentation_id, step, timings_ms)
        timings_ms["decide"] = (perf_counter() - started) * 1000
        known = sum(timings_ms.get(name, 0.0) for name in ("match", "price", "charge"))
        timings_ms["commit"] = timings_ms["decide"] - known
        return Decision(
            decision.action, decision.reason, decision.command, decision.display, timings_ms
        )

    async def resume(self, lane: Lane, presentation_id: UUID) -> Decision | None:
        """Return what is to be done now for a car that was decided on before; None for none.

        It also finishes what a killed process left half done.
        """
        step = await self._next_step(lane, presentation_id)
        if step is None:
            async with self._database.begin() as unit:
                found = await reads.find_camera_read(unit, lane.operator_id, presentation_id)
            if found is None:
                return None
            return await self.decide(lane, presentation_id, found.read, found.source)
        return await self._finish(lane, presentation_id, step, {})

    async def report_unreadable(self, lane: Lane, presentation_id: UUID) -> None:
        """Leave for staff that no reader could tell a car's plate; again changes nothing."""
        async with self._database.begin() as unit:
            presentation = await lane_rows.lock_presentation(
                unit, lane.operator_id, presentation_id
            )
            if presentation is None or presentation.lane_id != lane.lane_id:
                return
            if presentation.decided_at is None:
                await doubts.note(unit, presentation, ReviewKind.NOT_READABLE, None)

    async def full_areas(self, areas: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
        """Return those of some areas, each with its operator, whose sign says full."""
        async with self._database.begin() as unit:
            return await occupancy_rows.find_full(unit, areas)

    async def command_answered(
        self, lane: Lane, command_id: UUID, status: CommandState, reason: str | None
    ) -> None:
        """Record what the edge answered to a command."""
        await self._usual.answered(lane, command_id, status, reason)

    async def pending_commands(self, lane: Lane, presentation_id: UUID) -> Sequence[OpenCommand]:
        """Return the orders that the gate has not answered, or must get anew.

        For a car that waits for its payment this looks again: what it owes may be paid by now, or
        its driver may have allowed a charge while standing there.
        """
        async with self._database.begin() as unit:
            presentation = await lane_rows.lock_presentation(
                unit, lane.operator_id, presentation_id
            )
            if presentation is None or presentation.lane_id != lane.lane_id:
                return []
            if presentation.action == Action.OPEN:
                is_here = not await has_moved_on(unit, presentation)
                return await _standing_orders(unit, presentation) if is_here else []
            is_waiting = presentation.action in {Action.PAY, Action.WAIT}
            is_turned_away = turned_away.is_turned_away(presentation)
        if is_turned_away and lane.direction == Direction.ENTRY:
            let_in = await turned_away.let_in(self._context, lane, presentation_id)
            return [] if let_in is None or let_in.command is None else [let_in.command]
        if not is_waiting:
            return []
        step = await self._next_step(lane, presentation_id, is_takeover=False)
        if step is None:
            return []
        decision = await self._finish(lane, presentation_id, step, {})
        return [] if decision.command is None else [decision.command]

    async def report_health(self, reports: Sequence[LaneReport]) -> None:
        """Keep how lanes are; a report of an older connection, or an older one, changes nothing."""
        async with self._database.begin() as unit:
            await write_reports(unit, reports)

    async def ready(self) -> bool:
        """Return whether the database answers."""
        try:
            async with self._database.begin() as unit:
                await unit.ping()
        except UnavailableError:
            return False
        return True

    async def _first_step(
        self,
        lane: Lane,
        presentation_id: UUID,
        read: PlateRead,
        source: ReadSource,
        timings_ms: dict[str, float],
    ) -> Step:
        deciding = Deciding(self._context, lane, read, source, timings_ms)
        for last_try in (False,) * (CONFLICT_TRIES_MAX - 1) + (True,):
            try:
                async with self._database.begin() as unit:
                    return await deciding.step(unit, presentation_id)
            except AreaFullError as error:
                return await turned_away.turn_away(
                    self._context,
                    lane,
                    presentation_id,
                    read,
                    source,
                    promised=error.reservation_id,
                )
            except ConflictError:
                if last_try:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    async def _next_step(
        self,
        lane: Lane,
        presentation_id: UUID,
        *,
        is_takeover: bool = True,
        may_charge: bool = True,
        asked: Collection[UUID] = (),
    ) -> Step | None:
        async with self._database.begin() as unit:
            presentation = await lane_rows.lock_presentation(
                unit, lane.operator_id, presentation_id
            )
            if presentation is None or presentation.lane_id != lane.lane_id:
                return None
            if presentation.decided_at is None:
                return None
            if lane.direction == Direction.ENTRY:
                return await entry.repeat(unit, presentation)
            flow = ExitFlow(
                self._context, unit, presentation, {}, may_charge=may_charge, asked=asked
            )
            return await flow.go_on(is_takeover=is_takeover)

    async def _finish(
        self, lane: Lane, presentation_id: UUID, step: Step | None, timings_ms: dict[str, float]
    ) -> Decision:
        deadline = Deadline.after(GATE_DEADLINE_S)
        asked: set[UUID] = set()
        for _ in range(STEPS_MAX):
            if step is None or isinstance(step, Decision):
                break
            payment = GatePayment(self._context, presentation_id, timings_ms)
            await call_provider(self._context, step, timings_ms, payment.conclude, deadline)
            if payment.decision is not None:
                return payment.decision
            asked.add(step.attempt_id)
            # The next mandate, or closing a page, only while the driver still has patience.
            may_charge = deadline.allows_try()
            step = await self._next_step(
                lane, presentation_id, is_takeover=False, may_charge=may_charge, asked=asked
            )
        if isinstance(step, Decision):
            return step
        raise ConflictError("presentation: its payment did not come to rest")

    async def _keep_presented(
        self, lane: Lane, event: LaneEvent, presentation_id: UUID, state: PresentationState
    ) -> bool:
        if state == PresentationState.CLEARED:
            return await self._usual.left(lane, event, presentation_id)
        came_at = _came_at(event, self._context.clock.now())
        return await self._usual.came(lane, event, presentation_id, came_at)

    async def _place_car(
        self,
        unit: UnitOfWork,
        lane: Lane,
        event: LaneEvent,
        presentation_id: UUID,
        state: PresentationState,
    ) -> None:
        if state == PresentationState.CLEARED:
            await passage.clear(unit, lane, event, presentation_id)
            return
        await lanes.occupy(
            unit,
            Presentation(
                operator_id=lane.operator_id,
                id=presentation_id,
                lane_id=lane.lane_id,
                place_id=lane.place_id,
                state=PresentationState.OCCUPIED,
                occupied_at=_came_at(event, unit.now()),
            ),
        )

    def _event_row(
        self,
        unit: UnitOfWork,
        lane: Lane,
        event: LaneEvent,
        kind: str,
        presentation_id: UUID | None,
    ) -> LaneEventRow:
        return LaneEventRow(
            operator_id=lane.operator_id,
            id=event.event_id,
            lane_id=lane.lane_id,
            seq=event.seq,
            kind=kind,
            presentation_id=presentation_id,
            detail={},
            occurred_at=event.occurred_at,
            received_at=unit.now(),
        )


def _came_at(event: LaneEvent, now: datetime) -> datetime:
    """Return when a car came: money follows, so a lane's wrong clock must not move it far."""
    return min(max(event.occurred_at, now - PRESENTATION_AGE_MAX), now)


async def _standing_orders(unit: UnitOfWork, presentation: Presentation) -> list[OpenCommand]:
    reason = presentation.reason or ""
    command = await lanes.order_open(
        unit, presentation, session_id=presentation.session_id, reason=reason
    )
    if command is None or command.state != CommandState.ISSUED:
        return []
    return [OpenCommand(command.id, command.presentation_id, command.issued_at, OPEN_TTL_MS)]
