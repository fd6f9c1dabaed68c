"""What the lane leaves for staff to look at: each doubt once, with the car that caused it."""

from datetime import datetime
from uuid import UUID

from parking.flows.lane_types import Lane
from parking.kit.database import UnitOfWork
from parking.lanes.models import Presentation
from parking.offline.models import OfflinePassage
from parking.plates.reads import PlateRead
from parking.reviews import service as reviews
from parking.reviews.models import ReviewKind
from parking.reviews.service import NewReview


async def note(
    unit: UnitOfWork,
    presentation: Presentation,
    kind: ReviewKind,
    read: PlateRead | None,
    *,
    session_id: UUID | None = None,
    detail: dict[str, str] | None = None,
) -> None:
    """Leave a doubt about a car that stands, or stood, on a loop."""
    await reviews.add(
        unit,
        NewReview(
            operator_id=presentation.operator_id,
            place_id=presentation.place_id,
            lane_id=presentation.lane_id,
            kind=kind,
            cause_id=presentation.id,
            occurred_at=presentation.occupied_at,
            presentation_id=presentation.id,
            session_id=session_id,
            plate=None if read is None else read.text,
            alternatives=(
                {} if read is None else {item.text: item.probability for item in read.alternatives}
            ),
            confidence=None if read is None else read.confidence,
            detail=detail or {},
        ),
    )


async def note_offline(unit: UnitOfWork, item: OfflinePassage, read: PlateRead | None) -> None:
    """Leave a decision without network that does not fit what is known now, once."""
    await reviews.add(
        unit,
        NewReview(
            operator_id=item.operator_id,
            place_id=item.place_id,
            lane_id=item.lane_id,
            kind=ReviewKind.OFFLINE,
            cause_id=item.id,
            occurred_at=item.came_at,
            presentation_id=item.presentation_id,
            session_id=item.session_id,
            plate=None if read is None else read.text,
            confidence=None if read is None else read.confidence,
            detail={"why_not": item.review or "", "decided": item.reason},
        ),
    )


async def note_passage(
    unit: UnitOfWork, lane: Lane, event_id: UUID, at: datetime, presentation_id: UUID | None
) -> None:
    """Leave that a car passed whom nobody had let through."""
    await reviews.add(
        unit,
        NewReview(
            operator_id=lane.operator_id,
            place_id=lane.place_id,
            lane_id=lane.lane_id,
            kind=ReviewKind.UNDECIDED_PASSAGE,
            cause_id=presentation_id or event_id,
            occurred_at=at,
            presentation_id=presentation_id,
        ),
    )
