"""Every query for looking back at the cars that came to a lane on a day."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id, id_time
from parking.lanes.models import (
    CommandState,
    ExitOverride,
    GateCommand,
    LaneEventRow,
    Presentation,
)

ROWS_MAX: Final = 1000
OPENED_BY_HAND: Final = "manual_open"
# Nobody who opens a gate by hand lets the car wait longer than this.
OPENED_WITHIN: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A car that came to a lane and belongs to a stay."""

    id: UUID
    session_id: UUID
    occupied_at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """An order to open for a car.

    Attributes:
        was_refused: The gate refused it, so that it opened nothing.
    """

    reason: str
    was_refused: bool
    was_accepted: bool


async def page_arrivals(
    unit: UnitOfWork, operator_id: UUID, period: tuple[datetime, datetime], after: UUID | None
) -> Sequence[Arrival]:
    """Return cars with a stay that came to any lane in `[from, to)`, oldest first."""
    statement = (
        select(Presentation.id, Presentation.session_id, Presentation.occupied_at)
        .where(col(Presentation.operator_id) == operator_id)
        # The id has the time at which the car came: the partition of that month is enough.
        .where(col(Presentation.id) >= floor_id(period[0]))
        .where(col(Presentation.id) < floor_id(period[1]))
        .where(col(Presentation.session_id).is_not(None))
        .order_by(col(Presentation.id))
        .limit(ROWS_MAX)
    )
    if after is not None:
        statement = statement.where(col(Presentation.id) > after)
    return [
        Arrival(presentation_id, session_id, occupied_at)
        for presentation_id, session_id, occupied_at in await unit.session.exec(statement)
        if session_id is not None
    ]


async def find_orders(
    unit: UnitOfWork, operator_id: UUID, presentation_ids: Collection[UUID]
) -> dict[UUID, list[Order]]:
    """Return the orders to open for up to ROWS_MAX cars, oldest first."""
    found: dict[UUID, list[Order]] = {}
    if not presentation_ids:
        return found
    statement = (
        select(GateCommand.presentation_id, GateCommand.reason, GateCommand.state)
        .where(col(GateCommand.operator_id) == operator_id)
        .where(col(GateCommand.presentation_id).in_(list(presentation_ids)))
        .order_by(col(GateCommand.issued_at))
    )
    for presentation_id, reason, state in await unit.session.exec(statement):
        order = Order(reason, state == CommandState.REJECTED, state == CommandState.ACCEPTED)
        found.setdefault(presentation_id, []).append(order)
    return found


async def find_let_out(
    unit: UnitOfWork, operator_id: UUID, presentation_ids: Collection[UUID]
) -> set[UUID]:
    """Return which of up to ROWS_MAX cars a named person let out."""
    statement = (
        select(ExitOverride.id)
        .where(col(ExitOverride.operator_id) == operator_id)
        .where(col(ExitOverride.id).in_(list(presentation_ids)))
    )
    return set(await unit.session.exec(statement)) if presentation_ids else set()


async def list_let_out_unknown(
    unit: UnitOfWork, operator_id: UUID, period: tuple[datetime, datetime]
) -> Sequence[ExitOverride]:
    """Return whom persons let out in `[from, to)` without a stay, the first ROWS_MAX."""
    statement = (
        select(ExitOverride)
        .where(col(ExitOverride.operator_id) == operator_id)
        # As for `page_arrivals`: its id is the car's.
        .where(col(ExitOverride.id) >= floor_id(period[0]))
        .where(col(ExitOverride.id) < floor_id(period[1]))
        .where(col(ExitOverride.session_id).is_(None))
        .order_by(col(ExitOverride.id))
        .limit(ROWS_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def find_opened_by_hand(
    unit: UnitOfWork, operator_id: UUID, presentation_ids: Collection[UUID]
) -> set[UUID]:
    """Return for which of up to ROWS_MAX cars a person opened."""
    if not presentation_ids:
        return set()
    statement = (
        select(LaneEventRow.presentation_id)
        .where(col(LaneEventRow.operator_id) == operator_id)
        .where(col(LaneEventRow.kind) == OPENED_BY_HAND)
        .where(col(LaneEventRow.presentation_id).in_(list(presentation_ids)))
        .where(col(LaneEventRow.id) >= floor_id(id_time(min(presentation_ids))))
        .where(col(LaneEventRow.id) < floor_id(id_time(max(presentation_ids)) + OPENED_WITHIN))
        .limit(ROWS_MAX)
    )
    return {found for found in await unit.session.exec(statement) if found is not None}
