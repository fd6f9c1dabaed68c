"""What staff do about a doubt. What follows is done by the use cases that there are for it.

A plate is put right where nothing followed from it yet, as a camera's own correction is. Money
goes back by a correction of the stay, under the review's id, so that it goes back once. A car that
waits at an exit under a plate that nobody has is decided on anew, with the plate that staff read.
"""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from parking.events import outbox
from parking.events.envelope import Event
from parking.events.pokes import lane_channel
from parking.events.types import EventType
from parking.flows import read_correction, reads
from parking.flows.context import ParkingContext
from parking.flows.lane import LaneFlows
from parking.flows.lane_types import Action, Direction, Lane, ObservationMethod, ReadSource
from parking.flows.payments import correction
from parking.flows.payments.correction import Correction, CorrectionOutcome
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.lanes import repository as lane_rows
from parking.lanes import service as lanes
from parking.lanes.models import Presentation
from parking.places import repository as places
from parking.plates import service as plates
from parking.plates.normalise import normalise_plate
from parking.plates.reads import PlateRead
from parking.reviews import service as reviews
from parking.reviews.errors import CorrectionRefusedError
from parking.reviews.models import MisreadReview, ReviewActionKind
from parking.sessions import service as sessions

STAFF: Final = "staff"
# A person who looked at the pictures is taken at their word.
STAFF_CONFIDENCE: Final = 1.0
REFUND_REASON: Final = "Plate misread"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a review.

    Attributes:
        lane_action: What the exit does now for the car that waits there; None for none.
        money: What a correction of the stay gave back; None where there was none.
    """

    review: MisreadReview
    lane_action: str | None = None
    money: CorrectionOutcome | None = None


async def claim(
    context: ParkingContext, operator_id: UUID, review_id: UUID, *, by: str
) -> MisreadReview:
    """Take a review for a while; raises as `reviews.claim`."""
    async with context.database.begin() as unit:
        return await reviews.claim(unit, operator_id, review_id, by)


async def close(
    context: ParkingContext,
    operator_id: UUID,
    review_id: UUID,
    kind: Literal[ReviewActionKind.CONFIRMED, ReviewActionKind.DISMISSED],
    *,
    by: str,
    note: str | None,
) -> MisreadReview:
    """Close a review that nothing follows from: the lane was right, or nothing can be told.

    Raises:
        InvalidInputError: nothing can be told, and the note does not say why.
        ReviewUnknownError, ReviewClosedError, ReviewClaimedError: as `reviews.take`.
    """
    async with context.database.begin() as unit:
        review = await reviews.take(unit, operator_id, review_id, by)
        reviews.close(unit, review, kind, by, note=note)
        return review


async def correct_plate(
    context: ParkingContext,
    operator_id: UUID,
    review_id: UUID,
    *,
    plate: str,
    by: str,
    reason: str,
    waive: bool = False,
) -> Verdict:
    """Say which plate the car had, and do what follows from it.

    Args:
        context: The domain's surroundings.
        operator_id: Whose staff decides.
        review_id: The review.
        plate: As staff read it.
        by: Who decides.
        reason: Why, for the record.
        waive: Whether the stay that the lane took the car for costs nothing, and what was paid for
            it goes back: its own car was not there.

    Raises:
        InvalidInputError: this is no plate, or there is no reason that can be kept.
        CorrectionRefusedError: the stay has a bill or has ended, and is not to be waived; or its
            plate stands open somewhere else at the place.
        ReviewUnknownError, ReviewClosedError, ReviewClaimedError: as `reviews.take`.
    """
    text = normalise_plate(plate)
    # Before any money goes back: what is refused afterwards has happened all the same.
    reviews.require_reason(reason)
    money = None
    if waive:
        money = await _waive(context, operator_id, review_id, by, reason)
    async with context.database.begin() as unit:
        review = await reviews.take(unit, operator_id, review_id, by)
        await _know_stay(unit, review)
        if not waive and review.session_id is not None:
            await _put_right(context, unit, review, text)
        waits = review.session_id is None and await _ask_again(unit, review, text)
        reviews.close(unit, review, ReviewActionKind.CORRECTED, by, plate=text, note=reason)
    if not waits or review.presentation_id is None:
        return Verdict(review, money=money)
    action = await _decide_anew(context, review, review.presentation_id, text)
    return Verdict(review, lane_action=action)


async def _waive(
    context: ParkingContext, operator_id: UUID, review_id: UUID, by: str, reason: str
) -> CorrectionOutcome:
    async with context.database.begin() as unit:
        # Nobody else says that the lane was right while its money goes back.
        review = await reviews.hold(unit, operator_id, review_id, by)
        await _know_stay(unit, review)
        if review.session_id is None:
            raise CorrectionRefusedError("waive: the lane took the car for nobody's stay")
    return await correction.correct_stay(
        context,
        operator_id,
        review.session_id,
        Correction(waive=True),
        correction_id=f"review:{review.id}",
        by=by,
        reason=f"{REFUND_REASON}: {reason}"[: correction.REASON_LENGTH_MAX],
    )


async def _know_stay(unit: UnitOfWork, review: MisreadReview) -> None:
    """Let a doubt from before its car was let in be about the stay that began then."""
    if review.session_id is not None or review.presentation_id is None:
        return
    car = await lane_rows.find_presentation(unit, review.operator_id, review.presentation_id)
    # A lane may name any car; only its own came in here.
    if car is None or car.lane_id != review.lane_id:
        return
    lane = await _lane(unit, review)
    if lane.direction == Direction.ENTRY:
        review.session_id = car.session_id


async def _put_right(
    context: ParkingContext, unit: UnitOfWork, review: MisreadReview, plate: str
) -> None:
    """Give the stay of a car that came in the plate that staff read."""
    lane = await _lane(unit, review)
    if review.presentation_id is None or review.session_id is None:
        return
    presentation = await lane_rows.lock_presentation(
        unit, review.operator_id, review.presentation_id
    )
    session = await sessions.lock_session(unit, review.operator_id, review.session_id)
    if presentation is None or session is None:
        raise CorrectionRefusedError("reviewId: its stay is not on record any more")
    if session.plate_index == plates.plate_index(unit.vault, plate):
        return
    why_not = await read_correction.obstacle(unit, session, plate)
    if lane.direction != Direction.ENTRY:
        why_not = why_not or "exit"
    if why_not is not None:
        raise CorrectionRefusedError(f"plate: the stay cannot be put right ({why_not})")
    await read_correction.correct(context, unit, lane, presentation, session, plate)
    await _observe(unit, presentation, review, plate)


async def _ask_again(unit: UnitOfWork, review: MisreadReview, plate: str) -> bool:
    """Let an exit decide anew on a car that still waits there; returns whether it does."""
    lane = await _lane(unit, review)
    if lane.direction != Direction.EXIT or review.presentation_id is None:
        return False
    presentation = await lane_rows.lock_presentation(
        unit, review.operator_id, review.presentation_id
    )
    if presentation is None or presentation.cleared_at is not None:
        return False
    if presentation.lane_id != review.lane_id:
        # A lane may name any car; only its own waits there.
        return False
    if presentation.action not in {None, Action.REFUSE}:
        return False
    await _observe(unit, presentation, review, plate)
    presentation.action = presentation.reason = presentation.decided_at = None
    return True


async def _decide_anew(
    context: ParkingContext, review: MisreadReview, presentation_id: UUID, plate: str
) -> str:
    async with context.database.begin() as unit:
        lane = await _lane(unit, review)
    read = PlateRead(text=plate, confidence=STAFF_CONFIDENCE)
    source = ReadSource(ObservationMethod.STAFF, STAFF)
    decision = await LaneFlows(context).decide(lane, presentation_id, read, source)
    if decision.command is not None:
        # The lane's bridge sends the order as soon as it looks.
        async with context.database.begin() as unit:
            _poke(unit, review)
    return decision.action


async def _observe(
    unit: UnitOfWork, presentation: Presentation, review: MisreadReview, plate: str
) -> None:
    read = PlateRead(text=plate, confidence=STAFF_CONFIDENCE)
    source = ReadSource(ObservationMethod.STAFF, STAFF)
    seen = reads.seen(read, plates.plate_index(unit.vault, plate), source)
    await lanes.correct_observation(unit, presentation, seen, review.id)


async def _lane(unit: UnitOfWork, review: MisreadReview) -> Lane:
    row = await places.find_lane(unit, review.operator_id, review.lane_id)
    if row is None:
        raise CorrectionRefusedError("reviewId: its lane is not on record any more")
    return Lane(
        row.operator_id, row.place_id, row.id, row.area_id, Direction(row.direction), row.name
    )


def _poke(unit: UnitOfWork, review: MisreadReview) -> None:
    outbox.append(
        unit,
        Event(
            id=new_id(unit.now()),
            type=EventType.REVIEW_DECIDED,
            owner_id=review.operator_id,
            subject_id=review.id,
            occurred_at=unit.now(),
            payload={"driver_id": None, "channels": [lane_channel(review.lane_id)]},
        ),
    )
