"""Turning one offline decision into the rows that a decision with network gives.

The stay begins when the car came and ends when it passed, priced by the table of its entry. What
is due is owed and collected as after any departure on credit; nothing is charged here.
"""

from datetime import timedelta
from typing import Final

from parking.flows import doubts, entry, passage, passage_count, reads
from parking.flows.adoption import adopt
from parking.flows.bills import live_bill
from parking.flows.bills.billing import current_bill
from parking.flows.context import ParkingContext
from parking.flows.lane_types import Action, Direction, Lane, ObservationMethod, ReadSource
from parking.flows.payments import debts
from parking.flows.reentry import find_doubt, take_back
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lane_rows
from parking.lanes import service as lanes
from parking.lanes.models import LaneEventRow, Presentation
from parking.offline import repository
from parking.offline.models import OfflinePassage, PassageState
from parking.payments import repository as payments
from parking.payments.models import BillState
from parking.places import repository as places
from parking.plates import service as plates
from parking.plates.reads import PlateRead
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions
from parking.sessions.models import Session
from parking.tariffs import service as tariffs

OFFLINE: Final = "offline"
OVERLAPS: Final = "overlaps_a_stay"
CLOCK_UNKNOWN: Final = "clock_unknown"
# A stay that was ended by a later exit without network began within this time before it.
_STAY_MAX: Final = timedelta(days=7)


async def find_read(unit: UnitOfWork, passage_: OfflinePassage) -> tuple[PlateRead, str] | None:
    """Return the plate that the gate relied on, with the camera's name."""
    if passage_.observation_id is None:
        return None
    key = (passage_.operator_id, passage_.observation_id)
    event = await unit.session.get(LaneEventRow, key)
    if event is None or event.read_sealed is None or event.lane_id != passage_.lane_id:
        return None
    if event.presentation_id != passage_.presentation_id:
        return None
    read = PlateRead.model_validate_json(
        unit.vault.open(event.read_sealed, context=reads.READ_CONTEXT)
    )
    if not plates.is_plate(read.text) or read.confidence < entry.CONFIDENCE_MIN:
        return None
    return read, str(event.detail["source"])


async def apply(context: ParkingContext, unit: UnitOfWork, waiting: OfflinePassage) -> bool:
    """Carry out one decision, once; returns whether it became part of a stay.

    The presentation is locked here: of two that carry the same one out, the second does nothing.
    """
    presentation = await lane_rows.lock_presentation(
        unit, waiting.operator_id, waiting.presentation_id
    )
    item = await repository.find_passage(unit, waiting.operator_id, waiting.id)
    if item is None or item.state not in repository.OPEN_STATES or presentation is None:
        return False
    if presentation.lane_id != item.lane_id:
        return False
    found = await find_read(unit, item)
    if found is None:
        return False
    read, camera = found
    lane = await find_lane(unit, item)
    if lane is None:
        return False
    # Money follows from this time; while it was live nobody knew how long the lane was away.
    presentation.occupied_at = item.came_at
    if lane.direction == Direction.ENTRY:
        session = await _enter(context, unit, lane, presentation, item, read)
    else:
        session = await _leave(unit, lane, presentation, item)
    if session is None:
        return False
    lanes.decide(unit, presentation, action=Action.OPEN, reason=OFFLINE)
    if presentation.observation_id is None:
        source = ReadSource(ObservationMethod.CAMERA, camera)
        index = plates.plate_index(unit.vault, read.text)
        await reads.observe(unit, presentation, read, index, source)
    item.state, item.session_id, item.next_try_at = PassageState.APPLIED, session.id, None
    if item.clock_uncertainty_ms is None:
        item.review = CLOCK_UNKNOWN
    return True


async def _enter(
    context: ParkingContext,
    unit: UnitOfWork,
    lane: Lane,
    presentation: Presentation,
    item: OfflinePassage,
    read: PlateRead,
) -> Session | None:
    if presentation.session_id is not None:
        # It was decided again with network, while it stood there.
        return await sessions.lock_session(unit, item.operator_id, presentation.session_id)
    if await _is_covered(unit, item):
        item.state, item.review, item.next_try_at = PassageState.UNMATCHED, OVERLAPS, None
        await unit.session.flush()
        await passage_count.count_passed(unit, lane, presentation.id)
        await doubts.note_offline(unit, item, read)
        return None
    index = plates.plate_index(unit.vault, read.text)
    return await entry.admit_late(context, unit, lane, presentation, read.text, index)


async def _is_covered(unit: UnitOfWork, item: OfflinePassage) -> bool:
    """Return whether a stay that an exit ended later holds the moment of this entry.

    Two visits in one outage, and the lanes told of the second exit before the first one.
    """
    for later in await repository.find_exits_after(unit, item, horizon=_STAY_MAX):
        if later.session_id is None:
            continue
        stay = await session_rows.find_session(unit, later.operator_id, later.session_id)
        if stay is not None and stay.entered_at < item.came_at:
            return True
    return False


async def _leave(
    unit: UnitOfWork, lane: Lane, presentation: Presentation, item: OfflinePassage
) -> Session | None:
    session = await _stay(unit, presentation, item)
    if session is None:
        return None
    passage_count.take_back(unit, lane, item)
    was_open = presentation.action == Action.OPEN and presentation.session_id == session.id
    if not was_open:
        await adopt(unit, session, presentation)
        await _bill(unit, session, presentation, item)
    if item.passed_at is not None:
        await passage.leave(unit, session, presentation.id, at=item.passed_at)
    return session


async def _stay(
    unit: UnitOfWork, presentation: Presentation, item: OfflinePassage
) -> Session | None:
    if item.plate_index is None:
        return None
    if presentation.session_id is not None:
        session = await sessions.lock_session(unit, item.operator_id, presentation.session_id)
    else:
        session = await sessions.lock_open(unit, item.operator_id, item.place_id, item.plate_index)
    if session is None or session.left_at is not None or session.entered_at > item.came_at:
        return None
    return session


async def _bill(
    unit: UnitOfWork, session: Session, presentation: Presentation, item: OfflinePassage
) -> None:
    """Issue what the stay costs at the moment when its car came, and use its driver's credit."""
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    table = await tariffs.load(unit, session.operator_id, session.rate_table_id)
    live = live_bill.bill_of(session, table, bills, item.came_at)
    if not live.total:
        doubt = await find_doubt(unit, session, item.came_at)
        if doubt is not None and doubt.page is None:
            live = await take_back(unit, session, doubt, item.came_at)
    bill = await current_bill(unit, session, live, presentation.id, bills)
    if bill.state != BillState.ISSUED or bill.live_attempt_id is not None:
        return
    locked = await payments.lock_bill(unit, bill.operator_id, bill.id)
    if locked is not None and locked.state == BillState.ISSUED:
        # Where credit does not reach, it is owed all the same: the car is gone.
        await debts.let_go(unit, session, locked)


async def find_lane(unit: UnitOfWork, item: OfflinePassage) -> Lane | None:
    """Return the lane that decided."""
    row = await places.find_lane(unit, item.operator_id, item.lane_id)
    if row is None:
        return None
    return Lane(
        row.operator_id, row.place_id, row.id, row.area_id, Direction(row.direction), row.name
    )
