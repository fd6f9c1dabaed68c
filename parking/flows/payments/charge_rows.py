"""What a charge of a bill looks at, read in one round trip instead of three.

The rows are what `parking.kit.follow_up` then works on: `charging` begins the charge on them with
the same code that a transaction of its own would run.
"""

from uuid import UUID

from sqlmodel import col, select

from parking.kit.columns import Row
from parking.kit.database import UnitOfWork
from parking.payments.models import Bill
from parking.places.models import Place
from parking.sessions.models import Session


async def read(unit: UnitOfWork, operator_id: UUID, bill_id: UUID) -> tuple[Row, ...]:
    """Return a bill with its stay and its place, as far as there are such."""
    statement = (
        select(Bill, Session, Place)
        .outerjoin(
            Session,
            (col(Session.operator_id) == col(Bill.operator_id))
            & (col(Session.id) == col(Bill.session_id)),
        )
        .outerjoin(
            Place,
            (col(Place.operator_id) == col(Bill.operator_id))
            & (col(Place.id) == col(Bill.place_id)),
        )
        .where(col(Bill.operator_id) == operator_id, col(Bill.id) == bill_id)
    )
    found = (await unit.session.exec(statement)).one_or_none()
    rows: list[Row | None] = [*found] if found else []
    return tuple(row for row in rows if row is not None)
