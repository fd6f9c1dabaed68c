"""What a stay tells: each event counts the session's version up by one."""

from typing import Any

from parking.events import outbox
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.sessions.models import Session


def tell(
    unit: UnitOfWork,
    session: Session,
    kind: EventType,
    payload: dict[str, Any] | None = None,
    *,
    channels: tuple[str, ...] = (),
) -> None:
    """Append an event of a locked session to the transaction.

    Args:
        unit: The transaction that holds the session's lock.
        session: Its version goes up by one.
        kind: What happened.
        payload: JSON values; the driver's id is added.
        channels: Further channels to poke, such as a lane's.
    """
    session.version += 1
    unit.session.add(session)
    driver_id = None if session.driver_id is None else str(session.driver_id)
    body: dict[str, Any] = {"driver_id": driver_id, "place_id": str(session.place_id)}
    outbox.append(
        unit,
        Event(
            id=new_id(unit.now()),
            type=kind,
            owner_id=session.operator_id,
            subject_id=session.id,
            occurred_at=unit.now(),
            version=session.version,
            payload={**body, **(payload or {}), "channels": list(channels)},
        ),
    )
