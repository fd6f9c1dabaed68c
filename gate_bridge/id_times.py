"""Times and ids from a lane must agree with each other and be believable.

Rows are kept by the time in their ids, and what a stay costs depends on when its car came.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from gate_bridge.wire.actions import (
    AgentEvent,
    BarrierEvent,
    CurrentPresentation,
    Frame,
    Observation,
    OfflineDecision,
    Presentation,
    PresentationState,
    WireModel,
)
from gate_bridge.wire.errors import PayloadInvalidError
from gate_bridge.wire.limits import LIVE_S_MAX, TIMES_APART_S_MAX
from parking.kit.ids import id_time

_FIELDS = ("event_id", "frame_id", "presentation_id")
_PAST_MAX = timedelta(days=365)
_FUTURE_MAX = timedelta(days=1)
_LIVE_MAX = timedelta(seconds=LIVE_S_MAX)
_APART_MAX = timedelta(seconds=TIMES_APART_S_MAX)
_EXPECTED_NOW = f"expected a time within {LIVE_S_MAX:g} s of the bridge's"


def check_times(payload: WireModel, now: datetime) -> None:
    """Refuse ids that were minted by a clock far off, and times that disagree with their ids.

    Raises:
        PayloadInvalidError: naming the first such field.
    """
    for field in _FIELDS:
        value: object = getattr(payload, field, None)
        if isinstance(value, UUID) and not now - _PAST_MAX < _id_time(value) < now + _FUTURE_MAX:
            raise PayloadInvalidError(field, "expected an id minted within the last year")
    match payload:
        case Presentation():
            _agree("occurred_at", payload.occurred_at, "event_id", payload.event_id)
            # The id of a presentation is minted when the car comes, and it leaves much later.
            if payload.state is PresentationState.OCCUPIED:
                _agree(
                    "occurred_at", payload.occurred_at, "presentation_id", payload.presentation_id
                )
        case BarrierEvent():
            _agree("occurred_at", payload.occurred_at, "event_id", payload.event_id)
        case OfflineDecision():
            _agree("occurred_at", payload.occurred_at, "event_id", payload.event_id)
            _agree("occupied_at", payload.occupied_at, "presentation_id", payload.presentation_id)
        case Observation():
            _agree("captured_at", payload.captured_at, "event_id", payload.event_id)
        case Frame():
            _agree("captured_at", payload.captured_at, "frame_id", payload.frame_id)
            if not is_live(payload.captured_at, now):
                raise PayloadInvalidError("captured_at", _EXPECTED_NOW)
        case _:
            return


def check_current(car: CurrentPresentation) -> None:
    """Refuse a car in Hello whose time disagrees with its id.

    Raises:
        PayloadInvalidError: naming the time.
    """
    field = "presentation.occupied_at"
    _agree(field, car.occupied_at, "presentation_id", car.presentation_id)


def check_not_ahead(event: AgentEvent, now: datetime) -> None:
    """Refuse a new car that comes in the future; what is only recorded may be wrong.

    Raises:
        PayloadInvalidError: naming the time.
    """
    if isinstance(event, Presentation) and event.occurred_at > now + _LIVE_MAX:
        raise PayloadInvalidError("occurred_at", _EXPECTED_NOW)


def is_live(at: datetime, now: datetime) -> bool:
    """Return whether something that happened at `at` may still lead to a decision."""
    return abs(now - at) <= _LIVE_MAX


def _id_time(identifier: UUID) -> datetime:
    try:
        return id_time(identifier)
    except OverflowError:
        # Ids reach further than calendars.
        return datetime.max.replace(tzinfo=UTC)


def _agree(time_field: str, at: datetime, id_field: str, identifier: UUID) -> None:
    if abs(_id_time(identifier) - at) > _APART_MAX:
        raise PayloadInvalidError(
            time_field,
            f"expected a time within {TIMES_APART_S_MAX:g} s of the one in {id_field}",
        )
