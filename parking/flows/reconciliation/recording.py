"""Storing what a comparison found, for the operators' staff."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.reconciliation.comparing import DayReport
from parking.reconciliation import service
from parking.reconciliation.facts import Finding, Movement
from parking.reconciliation.service import UNOWNED, NewRun
from parking.reconciliation.totals import Sums


async def record(context: ParkingContext, report: DayReport) -> None:
    """Store a run and its differences for every operator, each in one transaction.

    Money that no operator's books know belongs to the only operator, where there is but one.
    """
    owners = list(report.operators)
    unowned = owners[0] if len(owners) == 1 else UNOWNED
    if unowned == UNOWNED:
        owners.append(UNOWNED)
    for owner in owners:
        keys: set[UUID | None] = {owner, None} if owner == unowned else {owner}
        async with context.database.begin() as unit:
            await service.store_run(unit, _run_of(report, owner, keys))


def _run_of(report: DayReport, owner: UUID, keys: set[UUID | None]) -> NewRun:
    found = [
        finding
        for finding in report.findings
        if finding.operator_id in keys and finding.code.is_difference
    ]
    return NewRun(
        operator_id=owner,
        provider=report.provider,
        day=report.day.day,
        timezone=report.day.timezone,
        findings=_once(found),
        differences=sum(
            count
            for (operator_id, code), count in report.counts.items()
            if operator_id in keys and code.is_difference
        ),
        totals=_totals(report, keys),
        openings={
            opening.value: count
            for (operator_id, opening), count in report.openings.items()
            if operator_id == owner
        },
        is_provisional=report.is_provisional,
    )


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """Return each stored row once: PostgreSQL refuses to touch one twice in a statement."""
    return list({(finding.subject_id, finding.code): finding for finding in findings}.values())


def _totals(report: DayReport, keys: set[UUID | None]) -> list[dict[str, Any]]:
    merged: dict[tuple[str, Movement], Sums] = defaultdict(Sums)
    for (operator_id, currency, movement), sums in report.totals.sums.items():
        if operator_id in keys:
            merged[currency, movement].add(sums)
    return [
        {"currency": currency, "movement": movement.value, **asdict(sums)}
        for (currency, movement), sums in sorted(merged.items())
    ]
