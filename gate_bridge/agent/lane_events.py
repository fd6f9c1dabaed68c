"""The bodies of a lane's events, as the journal keeps them."""

from datetime import datetime
from uuid import UUID

import orjson

from gate_bridge.wire.actions import PresentationState


def presentation(
    event_id: UUID, presentation_id: UUID, state: PresentationState, occurred_at: datetime
) -> str:
    """Return that a car came to the lane, or left it."""
    return lane_event(
        event_id=event_id,
        presentation_id=presentation_id,
        state=state.value,
        occurred_at=occurred_at,
    )


def lane_event(**fields: object) -> str:
    """Return an event in JSON, without `seq`."""
    return orjson.dumps(fields).decode()
