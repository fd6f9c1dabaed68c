"""Ids from a lane carry a time (UUIDv7); rows are kept by it, so it must be believable."""

from datetime import datetime, timedelta
from uuid import UUID

from gate_bridge.wire.actions import WireModel
from gate_bridge.wire.errors import PayloadInvalidError
from parking.kit.ids import id_time

_FIELDS = ("event_id", "frame_id", "presentation_id")
_PAST_MAX = timedelta(days=365)
_FUTURE_MAX = timedelta(days=1)


def check_id_times(payload: WireModel, now: datetime) -> None:
    """Refuse ids that were minted by a clock far off.

    Raises:
        PayloadInvalidError: naming the first such field.
    """
    for field in _FIELDS:
        value: object = getattr(payload, field, None)
        if isinstance(value, UUID) and not now - _PAST_MAX < id_time(value) < now + _FUTURE_MAX:
            raise PayloadInvalidError(field, "expected an id minted within the last year")
