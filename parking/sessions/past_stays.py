"""Every query for looking back at the stays of a day."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.sessions.models import Session, SessionState

ROWS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class StayFacts:
    """A stay without its car.

    Attributes:
        exit_presentation_id: Where it stands to leave, or left.
    """

    id: UUID
    exit_presentation_id: UUID | None
    state: SessionState
    prepaid_until: datetime | None


async def find_some(
    unit: UnitOfWork, operator_id: UUID, session_ids: Collection[UUID]
) -> dict[UUID, StayFacts]:
    """Return up to ROWS_MAX of an operator's stays by id."""
    if not session_ids:
        return {}
    statement = (
        select(Session.id, Session.exit_presentation_id, Session.state, Session.prepaid_until)
        .where(col(Session.operator_id) == operator_id)
        .where(col(Session.id).in_(list(session_ids)))
    )
    return {
        session_id: StayFacts(session_id, exit_id, SessionState(state), prepaid_until)
        for session_id, exit_id, state, prepaid_until in await unit.session.exec(statement)
    }
