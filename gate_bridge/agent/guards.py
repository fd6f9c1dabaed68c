"""What keeps a stale order from opening the gate. Pure decisions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from gate_bridge.wire.actions import OpenBarrier

FUTURE_TOLERANCE = timedelta(seconds=5)


class Refusal(StrEnum):
    """Why an order is refused, as it goes over the wire."""

    STALE_EPOCH = "stale_epoch"
    NO_PRESENTATION = "no_presentation"
    OTHER_PRESENTATION = "other_presentation"
    CLOCK_UNKNOWN = "clock_unknown"
    EXPIRED = "expired"
    ISSUED_IN_FUTURE = "issued_in_future"
    BARRIER_FAILED = "barrier_failed"


@dataclass(frozen=True, slots=True)
class Situation:
    """What the edge knows at one moment.

    Attributes:
        session_epoch: Of the current connection; None before Hello is answered.
        presentation_id: Of the car on the loop; None while the loop is free.
        server_earliest: A time that the bridge's clock has reached; None while unknown.
        server_latest: A time that the bridge's clock has not passed; None while unknown.
    """

    session_epoch: int | None
    presentation_id: UUID | None
    server_earliest: datetime | None
    server_latest: datetime | None


def refusal(order: OpenBarrier, situation: Situation) -> Refusal | None:
    """Return why the order must not be carried out now, or None.

    Doubt counts against opening: an order has expired as soon as it may have.
    """
    if situation.session_epoch != order.session_epoch:
        return Refusal.STALE_EPOCH
    if situation.presentation_id is None:
        return Refusal.NO_PRESENTATION
    if situation.presentation_id != order.presentation_id:
        return Refusal.OTHER_PRESENTATION
    return _time_refusal(order, situation)


def _time_refusal(order: OpenBarrier, situation: Situation) -> Refusal | None:
    if situation.server_earliest is None or situation.server_latest is None:
        return Refusal.CLOCK_UNKNOWN
    if situation.server_latest > order.issued_at + timedelta(milliseconds=order.ttl_ms):
        return Refusal.EXPIRED
    # Another bridge's clock may be ahead a little; an order from tomorrow would never expire.
    if order.issued_at > situation.server_earliest + FUTURE_TOLERANCE:
        return Refusal.ISSUED_IN_FUTURE
    return None
