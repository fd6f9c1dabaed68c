"""Offline decisions become stays and bills when the network returns, in whatever order they come.

A decision is committed with its event, so that nothing is lost; what follows from it is drawn in
transactions of its own, each of which may be repeated. Of an entry's lane and an exit's lane that
come back together one always sees the other: each commits before it looks.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from parking.flows import doubts, passage_count
from parking.flows.context import ParkingContext
from parking.flows.lane_types import Direction, Lane, OfflineDecision
from parking.flows.offline import applying
from parking.kit.database import ConflictError, UnitOfWork
from parking.kit.errors import ParkingError
from parking.lanes import repository as lane_rows
from parking.lanes import service as lanes
from parking.lanes.errors import PresentationForeignError
from parking.lanes.models import LaneEventRow, Presentation
from parking.offline import repository, rules
from parking.offline.models import OfflinePassage, PassageState
from parking.plates import service as plates
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions
from parking.sessions.rules import ReadText

EVENT_OFFLINE: Final = "offline_decision"
NO_PLATE: Final = "no_plate"
GONE: Final = "gone"
NO_SESSION: Final = "no_session"
MISREAD: Final = "misread"
STEPS_MAX: Final = 2 * repository.WAITING_MAX
CONFLICT_TRIES_MAX: Final = 4

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def record(context: ParkingContext, lane: Lane, decision: OfflineDecision) -> int:
    """Commit a decision in its lane's order and draw what follows; returns its number.

    A failure of the second part is no failure of the event: the sweep draws it later.

    Raises:
        PresentationForeignError: the car stands in another lane.
    """
    async with context.database.begin() as unit:
        event = decision.event
        car = await _own_car(unit, lane, decision.presentation_id)
        row = LaneEventRow(
            operator_id=lane.operator_id,
            id=event.event_id,
            lane_id=lane.lane_id,
            seq=event.seq,
            kind=EVENT_OFFLINE,
            presentation_id=decision.presentation_id,
            command_id=decision.command_id,
            detail={"is_open": decision.is_open, "reason": decision.reason},
            occurred_at=event.occurred_at,
            received_at=unit.now(),
        )
        item: OfflinePassage | None = None
        if await lanes.record_event(unit, row):
            item = await _passage(unit, lane, decision, car)
            await repository.insert_passage(unit, item)
    if item is not None and item.plate_index is not None and item.state == PassageState.PENDING:
        try:
            await _join(context, item)
            await settle(context, item.operator_id, item.place_id, item.plate_index)
            # A decision with network may have been committed in between: its stay stood in the way.
            if await _join(context, item):
                await settle(context, item.operator_id, item.place_id, item.plate_index)
        except ParkingError as error:
            _log.warning("offline.not_settled", passage=str(item.id), error=repr(error))
    return event.seq


async def settle(
    context: ParkingContext, operator_id: UUID, place_id: UUID, plate_index: UUID
) -> int:
    """Carry out every decision about a plate that can be by now, in the order of their times.

    Returns:
        How many were carried out.
    """
    applied = 0
    for _ in range(STEPS_MAX):
        if not await _step(context, operator_id, place_id, plate_index):
            break
        applied += 1
    return applied


async def sweep(context: ParkingContext) -> int:
    """Look again at decisions that wait for what other lanes may still tell; returns how many."""
    async with context.database.begin() as unit:
        due = await repository.take_due(unit, rules.LOOK_AGAIN_AFTER)
    for item in due:
        try:
            if item.plate_index is not None:
                await settle(context, item.operator_id, item.place_id, item.plate_index)
            await _give_up(context, item)
        except ParkingError as error:
            # One that cannot be settled must not keep the others waiting: its lease ends.
            _log.warning("offline.not_settled", passage=str(item.id), error=repr(error))
    return len(due)


async def _passage(
    unit: UnitOfWork, lane: Lane, decision: OfflineDecision, car: Presentation | None
) -> OfflinePassage:
    now = unit.now()
    not_before = await lanes.not_before(unit, lane.operator_id, lane.lane_id)
    is_believed = not_before is None or decision.occupied_at >= not_before
    item = OfflinePassage(
        operator_id=lane.operator_id,
        id=decision.event.event_id,
        place_id=lane.place_id,
        lane_id=lane.lane_id,
        presentation_id=decision.presentation_id,
        direction=lane.direction.value,
        state=PassageState.PENDING if decision.is_open else PassageState.KEPT_CLOSED,
        reason=decision.reason,
        policy_version=decision.policy_version,
        risk_minor=decision.risk_minor,
        observation_id=decision.observation_id,
        came_at=rules.believed_time(decision.occupied_at, now, not_before),
        decided_at=decision.event.occurred_at,
        clock_uncertainty_ms=decision.clock_uncertainty_ms if is_believed else None,
        received_at=now,
    )
    found = await applying.find_read(unit, item)
    if found is not None:
        item.plate_index = plates.plate_index(unit.vault, found[0].text)
    if decision.is_open and car is not None and car.cleared_at is not None:
        # It was told that the car is away, and only then that the gate opened for it.
        item.state, item.review = PassageState.WITHDRAWN, GONE
    elif decision.is_open and found is None:
        item.state, item.review = PassageState.UNMATCHED, NO_PLATE
    if item.review is not None:
        await doubts.note_offline(unit, item, None if found is None else found[0])
    elif decision.is_open:
        item.next_try_at = now + rules.SETTLE_AFTER
    return item


async def _own_car(unit: UnitOfWork, lane: Lane, presentation_id: UUID) -> Presentation | None:
    """Return the car, if it was told of; one of another lane would open that lane's gate."""
    car = await lane_rows.find_presentation(unit, lane.operator_id, presentation_id)
    if car is not None and car.lane_id != lane.lane_id:
        raise PresentationForeignError("presentation_id: expected one of this lane")
    return car


async def _join(context: ParkingContext, item: OfflinePassage) -> bool:
    """Let a car that was decided on with network as well keep its stay; return whether it did."""
    async with context.database.begin() as unit:
        known = await lane_rows.find_presentation(unit, item.operator_id, item.presentation_id)
        if known is None or known.session_id is None:
            return False
    async with context.database.begin() as unit:
        return await applying.apply(context, unit, item)


async def _step(
    context: ParkingContext, operator_id: UUID, place_id: UUID, plate_index: UUID
) -> bool:
    for last_try in (False,) * (CONFLICT_TRIES_MAX - 1) + (True,):
        try:
            async with context.database.begin() as unit:
                chosen = await _next(unit, operator_id, place_id, plate_index)
                return chosen is not None and await applying.apply(context, unit, chosen)
        except ConflictError:
            # Another lane of the place came in between: look again at what there is now.
            if last_try:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


async def _next(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, plate_index: UUID
) -> OfflinePassage | None:
    waiting = await repository.find_waiting(unit, operator_id, place_id, plate_index)
    if not waiting:
        return None
    standing = await session_rows.find_open(unit, operator_id, place_id, plate_index)
    chosen = rules.next_passage(
        None if standing is None else standing.entered_at,
        [
            rules.Waiting(
                item.id,
                item.direction == Direction.ENTRY,
                item.came_at,
                _is_overdue(item, unit.now()),
            )
            for item in waiting
            if item.review != applying.OVERLAPS
        ],
    )
    return None if chosen is None else next(item for item in waiting if item.id == chosen.id)


def _is_overdue(item: OfflinePassage, now: datetime) -> bool:
    return now >= item.received_at + rules.SETTLE_AFTER


async def _give_up(context: ParkingContext, due: OfflinePassage) -> None:
    """Say of an exit whose entry should have come by now that no stay was found.

    A misread of another plate is looked for first, as at an exit with network; only now, because
    the right entry might have come from another lane.
    """
    async with context.database.begin() as unit:
        # Whoever carries the decision out, or tells that its car has passed, holds this as well.
        await lane_rows.lock_presentation(unit, due.operator_id, due.presentation_id)
        item = await repository.find_passage(unit, due.operator_id, due.id)
        if item is None or item.state != PassageState.PENDING or item.direction != Direction.EXIT:
            return
        if not _is_overdue(item, unit.now()):
            item.next_try_at = item.received_at + rules.SETTLE_AFTER
            return
        found = await applying.find_read(unit, item)
        match = None
        if found is not None and item.plate_index is not None:
            read = found[0]
            text = ReadText(
                read.text,
                tuple(character.probability for character in read.characters),
                tuple((other.text, other.probability) for other in read.alternatives),
            )
            match = await sessions.match_exit(
                unit, item.operator_id, item.place_id, item.plate_index, text
            )
        stay = (
            None
            if match is None
            else await session_rows.find_session(unit, item.operator_id, match.session_id)
        )
        if stay is None or stay.entered_at > item.came_at:
            item.state, item.review, item.next_try_at = PassageState.UNMATCHED, NO_SESSION, None
            await doubts.note_offline(unit, item, None if found is None else found[0])
            await unit.session.flush()
            lane = await applying.find_lane(unit, item)
            if lane is not None:
                await passage_count.count_passed(unit, lane, item.presentation_id)
            return
        item.plate_index, item.review = stay.plate_index, MISREAD
        await doubts.note_offline(unit, item, None if found is None else found[0])
        key = (item.operator_id, item.place_id, stay.plate_index)
    await settle(context, *key)
