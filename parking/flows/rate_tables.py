"""What an operator does with a place's rate tables: look at one, publish it, see which applies."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.errors import InvalidInputError
from parking.places import service as places
from parking.tariffs import service as tariffs
from parking.tariffs.errors import RateTableUnsoundError
from parking.tariffs.lint.findings import Finding, Severity
from parking.tariffs.lint.linter import lint
from parking.tariffs.models import RateTableVersion
from parking.tariffs.rules import RateTable
from parking.tariffs.versions import VersionInForce

# A look at a large table takes a second: one at a time, beside what else the process does.
_LOOKING: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lint")


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A published version, and what was found in it."""

    version: RateTableVersion
    findings: tuple[Finding, ...]


async def look_at(context: ParkingContext, table: RateTable) -> tuple[Finding, ...]:
    """Return what the author of a rate table should know, without holding up this process."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_LOOKING, lint, table, context.clock.now())


async def publish(
    context: ParkingContext,
    operator_id: UUID,
    place_id: UUID,
    *,
    body: dict[str, Any],
    effective_at: datetime | None = None,
    errors_accepted: bool = False,
) -> PublishedTable:
    """Publish the next version of a place's rate table; repeating it adds nothing.

    Raises:
        PlaceUnknownError: the operator has no such place.
        RateTableUnsoundError: it has errors, and nobody accepted them.
        InvalidInputError: as `tariffs.publish`, or the table's time zone is not the place's.
    """
    async with context.database.begin() as unit:
        place = await places.require_place(unit, operator_id, place_id)
    table = tariffs.require_publishable(body, currency=place.currency)
    if table.timezone != place.timezone:
        raise InvalidInputError("rate_table.timezone", f"{place.timezone}, as the place has")
    findings = await look_at(context, table)
    errors = [(each.path, each.words) for each in findings if each.severity is Severity.ERROR]
    if errors and not errors_accepted:
        raise RateTableUnsoundError(errors)
    async with context.database.begin() as unit:
        version = await tariffs.publish(
            unit,
            operator_id,
            place_id,
            currency=place.currency,
            body=body,
            effective_at=effective_at,
        )
    return PublishedTable(version, findings)


async def list_versions(
    context: ParkingContext, operator_id: UUID, place_id: UUID, *, first: int
) -> list[VersionInForce]:
    """Return the newest versions of a place's rate table, the newest first.

    Raises:
        PlaceUnknownError: the operator has no such place.
        InvalidInputError: `first` is not from 1 to tariffs.VERSIONS_LISTED_MAX.
    """
    async with context.database.begin() as unit:
        await places.require_place(unit, operator_id, place_id)
        return await tariffs.list_versions(unit, operator_id, place_id, first=first)
