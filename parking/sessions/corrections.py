"""Facts of a stay that were recorded wrongly and are known better now."""

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col

from parking.kit.database import UnitOfWork
from parking.sessions.models import OpenSession, Segment, Session


async def correct_times(
    unit: UnitOfWork,
    session: Session,
    *,
    entered_at: datetime | None = None,
    left_at: datetime | None = None,
) -> None:
    """Let a locked stay have begun, and ended, at these times; None leaves one as it is."""
    if entered_at is not None:
        await unit.run(
            update(OpenSession)
            .where(col(OpenSession.operator_id) == session.operator_id)
            .where(col(OpenSession.session_id) == session.id)
            .values(entered_at=entered_at)
        )
        await unit.run(
            update(Segment)
            .where(col(Segment.operator_id) == session.operator_id)
            .where(col(Segment.session_id) == session.id)
            .where(col(Segment.started_at) == session.entered_at)
            .values(started_at=entered_at)
        )
        session.entered_at = entered_at
    if left_at is not None and session.left_at is not None:
        await unit.run(
            update(Segment)
            .where(col(Segment.operator_id) == session.operator_id)
            .where(col(Segment.session_id) == session.id)
            .where(col(Segment.ended_at) == session.left_at)
            .values(ended_at=left_at)
        )
        session.left_at = left_at
    unit.session.add(session)


def correct_circumstances(
    unit: UnitOfWork, session: Session, circumstances: dict[str, Any]
) -> None:
    """Let a locked stay have these circumstances, as `Circumstances.to_json` gives them."""
    session.circumstances = circumstances
    unit.session.add(session)
