"""Filters with a name, and how many drivers they mean: counts for marketing, never drivers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from parking.campaigns import repository
from parking.campaigns.errors import NameTakenError, SegmentUnknownError
from parking.campaigns.filters import clauses, read_filter
from parking.campaigns.models import AudienceSegment
from parking.flows.campaigns.counting import count_each
from parking.flows.campaigns.expecting import require_answerable
from parking.flows.campaigns.life import Draft, checked_name
from parking.flows.campaigns.responsible import require_own_places, require_place
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.staff.rules import StaffIdentity


@dataclass(frozen=True, slots=True)
class ClauseShare:
    """One clause of a filter by itself.

    Attributes:
        drivers: About; None for few.
    """

    kind: str
    drivers: int | None


@dataclass(frozen=True, slots=True)
class Preview:
    """How many drivers a filter means now.

    Attributes:
        audience: All who agreed to offers and were here, about; None for few.
        drivers: Those whom the filter means; None likewise.
    """

    audience: int | None
    drivers: int | None
    clauses: list[ClauseShare]


async def preview(
    context: ParkingContext,
    staff: StaffIdentity,
    data: Mapping[str, Any],
    *,
    place_id: UUID | None,
) -> Preview:
    """Count the drivers of a filter, about.

    Raises:
        InvalidInputError: filter or place does not fit; names the path.
    """
    found = read_filter(data)
    require_answerable(found)
    async with context.database.begin() as unit:
        await require_place(unit, staff, place_id)
        await require_own_places(unit, staff, found)
        parts = list(clauses(found))
        counts = await count_each(unit, staff.operator_id, place_id, found)
    audience, drivers, *each = (counted.told for counted in counts)
    return Preview(
        audience=audience,
        drivers=drivers,
        clauses=[ClauseShare(part.kind, count) for part, count in zip(parts, each, strict=True)],
    )


async def save(
    context: ParkingContext,
    staff: StaffIdentity,
    data: Mapping[str, Any],
    *,
    name: str,
    place_id: UUID | None,
    segment_id: UUID | None = None,
) -> AudienceSegment:
    """Keep a filter under a name, or write a kept one anew.

    Campaigns hold filters of their own: one that was approved does not change with a segment.

    Raises:
        InvalidInputError: name, filter or place does not fit; names the path.
        SegmentUnknownError: there is none to write anew that the member sees.
        NameTakenError: another segment has the name.
    """
    async with context.database.begin() as unit:
        row = None if segment_id is None else await find_seen(unit, staff, segment_id)
        return await keep(unit, staff, Draft(name, place_id, dict(data)), row)


async def keep(
    unit: UnitOfWork, staff: StaffIdentity, draft: Draft, row: AudienceSegment | None = None
) -> AudienceSegment:
    """Write a segment, or a kept one anew, in a transaction; raises as `save` does."""
    found = read_filter(draft.document)
    require_answerable(found)
    name = checked_name(draft.name)
    await require_place(unit, staff, draft.place_id)
    await require_own_places(unit, staff, found)
    await _require_free_name(unit, staff.operator_id, name, None if row is None else row.id)
    document = found.model_dump(mode="json", by_alias=True, exclude_none=True)
    if row is None:
        row = AudienceSegment(
            operator_id=staff.operator_id,
            id=new_id(unit.now()),
            name=name,
            filter=document,
            saved_by=staff.recorded_name,
            saved_at=unit.now(),
        )
        unit.session.add(row)
    row.name, row.place_id, row.filter = name, draft.place_id, document
    row.saved_by, row.saved_at = staff.recorded_name, unit.now()
    return row


async def find_seen(unit: UnitOfWork, staff: StaffIdentity, segment_id: UUID) -> AudienceSegment:
    """Return a segment that a member sees.

    Raises:
        SegmentUnknownError: there is none.
    """
    found = await repository.find_segment(unit, staff.operator_id, segment_id)
    if found is None or not staff.sees(found.place_id):
        raise SegmentUnknownError
    return found


async def _require_free_name(
    unit: UnitOfWork, operator_id: UUID, name: str, segment_id: UUID | None
) -> None:
    statement = select(AudienceSegment.id).where(
        col(AudienceSegment.operator_id) == operator_id, col(AudienceSegment.name) == name
    )
    found = (await unit.session.exec(statement)).one_or_none()
    if found is not None and found != segment_id:
        raise NameTakenError
