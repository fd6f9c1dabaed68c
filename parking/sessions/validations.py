"""Validations that were granted to stays: every query about them."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id
from parking.sessions.models import Session, SessionValidation


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
