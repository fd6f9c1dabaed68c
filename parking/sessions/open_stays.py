"""The stays of a place that have not ended, all at once."""

from typing import Final
from uuid import UUID

from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.sessions.models import OpenSession, Session

# Of a larger place those that came last: those that came first are paid at an exit with network.
STAYS_MAX: Final = 5000


async def list_stays(unit: UnitOfWork, operator_id: UUID, place_id: UUID) -> list[Session]:
    """Return a place's open stays, those that came last first."""
    statement = (
        select(Session)
        .join(
            OpenSession,
            (col(OpenSession.operator_id) == col(Session.operator_id))
            & (col(OpenSession.session_id) == col(Session.id)),
        )
        .where(col(OpenSession.operator_id) == operator_id)
        .where(col(OpenSession.place_id) == place_id)
        .order_by(col(OpenSession.entered_at).desc())
        .limit(STAYS_MAX)
    )
    return list(await unit.session.exec(statement))
