"""What happens to a pass: each event counts its version up by one."""

from typing import Any

from parking.events import outbox
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.passes.models import AssignedRight, RightSpecification


def tell(
    unit: UnitOfWork,
    right: AssignedRight,
    product: RightSpecification,
    kind: EventType,
    payload: dict[str, Any] | None = None,
) -> None:
    """Append an event of a locked pass to the transaction.

    Args:
        unit: The transaction that holds the pass's lock.
        right: Its version goes up by one.
        product: What it is a pass of.
        kind: What happened.
        payload: JSON values; the names that every pass event has are added.
    """
    right.version += 1
    unit.session.add(right)
    body: dict[str, Any] = {
        "driver_id": None if right.driver_id is None else str(right.driver_id),
        "pass_name": product.name,
        "paid_until": right.paid_until.isoformat(),
        "timezone": product.timezone,
        "currency": product.currency,
    }
    outbox.append(
        unit,
        Event(
            id=new_id(unit.now()),
            type=kind,
            owner_id=right.operator_id,
            subject_id=right.id,
            occurred_at=unit.now(),
            version=right.version,
            payload={**body, **(payload or {})},
        ),
    )
