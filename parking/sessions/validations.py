"""Validations that were granted to stays: every query about them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id
from parking.sessions.models import Session, SessionValidation

VALIDATIONS_MAX = 32


def validation_id(session_id: UUID, name: str) -> UUID:
    """Return the id of the one row that a stay has for a validation."""
    return derive_id(session_id, f"validation:{name}")


async def grant(
    unit: UnitOfWork, session: Session, name: str, *, merchant: str | None, by: str
) -> SessionValidation:
    """Keep who validated a locked stay, and with what; again changes nothing."""
    row = SessionValidation(
        operator_id=session.operator_id,
        id=validation_id(session.id, name),
        session_id=session.id,
        name=name,
        merchant=merchant,
        granted_by=by,
        granted_at=unit.now(),
    )
    statement = insert(SessionValidation).values(row.model_dump())
    await unit.run(statement.on_conflict_do_nothing())
    return row


async def find(unit: UnitOfWork, session: Session, name: str) -> SessionValidation | None:
    """Return what is kept of a stay's validation."""
    key = (session.operator_id, validation_id(session.id, name))
    return await unit.session.get(SessionValidation, key)


async def list_of(
    unit: UnitOfWork, operator_id: UUID, session_id: UUID
) -> Sequence[SessionValidation]:
    """Return a stay's validations, oldest first."""
    statement = (
        select(SessionValidation)
        .where(col(SessionValidation.operator_id) == operator_id)
        .where(col(SessionValidation.session_id) == session_id)
        .order_by(col(SessionValidation.granted_at), col(SessionValidation.name))
        .limit(VALIDATIONS_MAX)
    )
    return (await unit.session.exec(statement)).all()
