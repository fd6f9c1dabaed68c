"""The record of what staff did: read a page at a time, by whom, where and what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from sqlmodel import col, select

from parking.kit.crypto import Vault
from parking.kit.database import UnitOfWork
from parking.staff.acting import DETAILS_CONTEXT, Outcome
from parking.staff.models import StaffAct


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Which acts are asked for; None asks for all."""

    member_id: UUID | None = None
    place_id: UUID | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActView:
    """One row of the record, opened.

    Attributes:
        act_id: The same for the rows of one act: a later one says that it ended otherwise.
        code: Of a refusal.
        before: What it changed, where that is kept.
    """

    operator_id: UUID
    id: UUID
    act_id: UUID
    member_id: UUID | None
    name: str
    roles: tuple[str, ...]
    action: str
    arguments: dict[str, Any]
    place_id: UUID | None
    outcome: Outcome
    code: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    correlation_id: str
    happened_at: datetime


async def page(
    unit: UnitOfWork, operator_id: UUID, wanted: ActFilter, *, first: int, before: UUID | None
) -> list[ActView]:
    """Return what an operator's staff did, the newest first."""
    statement = (
        select(StaffAct)
        .where(col(StaffAct.operator_id) == operator_id)
        .order_by(col(StaffAct.id).desc())
        .limit(first)
    )
    if wanted.member_id is not None:
        statement = statement.where(col(StaffAct.member_id) == wanted.member_id)
    if wanted.place_id is not None:
        statement = statement.where(col(StaffAct.place_id) == wanted.place_id)
    if wanted.action is not None:
        statement = statement.where(col(StaffAct.action) == wanted.action)
    if before is not None:
        statement = statement.where(col(StaffAct.id) < before)
    return [_view(unit.vault, row) for row in await unit.session.exec(statement)]


def _view(vault: Vault, row: StaffAct) -> ActView:
    details = cast(
        "dict[str, Any]", orjson.loads(vault.open(row.details_sealed, context=DETAILS_CONTEXT))
    )
    return ActView(
        operator_id=row.operator_id,
        id=row.id,
        act_id=row.act_id,
        member_id=row.member_id,
        name=details["name"],
        roles=tuple(row.roles),
        action=row.action,
        arguments=details["arguments"],
        place_id=row.place_id,
        outcome=Outcome(row.outcome),
        code=row.code,
        before=details.get("before"),
        after=details.get("after"),
        correlation_id=row.correlation_id,
        happened_at=row.happened_at,
    )
