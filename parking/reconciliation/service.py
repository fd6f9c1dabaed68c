"""Use cases about stored runs and differences, one transaction each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id, new_id
from parking.reconciliation import repository
from parking.reconciliation.errors import DifferenceClosedError, DifferenceUnknownError
from parking.reconciliation.facts import Finding
from parking.reconciliation.models import (
    DifferenceState,
    ReconciliationDifference,
    ReconciliationRun,
)

# Whose the differences are that no operator's books know, where there are several operators.
UNOWNED: Final = UUID(int=0)
NOTE_CONTEXT: Final = "reconciliation note"
NOTE_LENGTH_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """One operator's part of a comparison.

    Attributes:
        findings: Differences only, all of them or the first ones.
        differences: How many there are.
    """

    operator_id: UUID
    provider: str
    day: date
    timezone: str
    findings: Sequence[Finding]
    differences: int
    totals: list[dict[str, Any]]
    openings: dict[str, Any]
    is_provisional: bool


async def store_run(unit: UnitOfWork, new: NewRun) -> ReconciliationRun:
    """Store a run with its differences, and close those that it did not find any more."""
    run = ReconciliationRun(
        operator_id=new.operator_id,
        id=new_id(unit.now()),
        provider=new.provider,
        day=new.day,
        timezone=new.timezone,
        differences=new.differences,
        totals=new.totals,
        openings=new.openings,
        is_provisional=new.is_provisional,
        ran_at=unit.now(),
    )
    unit.session.add(run)
    rows = [_row(unit, run, finding) for finding in new.findings]
    await repository.upsert_differences(unit, rows)
    if len(new.findings) == new.differences:
        # Where some are only counted, nobody can tell which of the others have gone.
        await repository.close_gone(unit, run.operator_id, run.provider, run.day, run.id)
    return run


async def resolve(
    unit: UnitOfWork, operator_id: UUID, difference_id: UUID, *, note: str, by: str
) -> ReconciliationDifference:
    """Let a person say what became of a difference; the same again changes nothing.

    Raises:
        DifferenceUnknownError: the operator has no such difference.
        DifferenceClosedError: somebody else resolved it, or it is gone.
        InvalidInputError: the note is empty or too long.
    """
    if not 0 < len(note.strip()) <= NOTE_LENGTH_MAX:
        raise InvalidInputError("note", f"1 to {NOTE_LENGTH_MAX} characters")
    row = await repository.lock_difference(unit, operator_id, difference_id)
    if row is None:
        raise DifferenceUnknownError("difference: expected one of yours")
    if row.state != DifferenceState.OPEN:
        if (row.state, row.resolved_by, note_of(unit, row)) != (
            DifferenceState.RESOLVED,
            by,
            note.strip(),
        ):
            raise DifferenceClosedError("difference: expected an open one")
        return row
    row.state = DifferenceState.RESOLVED
    row.closed_at = unit.now()
    row.resolved_by = by
    row.note_sealed = unit.vault.seal(note.strip(), context=NOTE_CONTEXT)
    return row


def note_of(unit: UnitOfWork, row: ReconciliationDifference) -> str | None:
    """Return what the person wrote; None while nobody has."""
    if row.note_sealed is None:
        return None
    return unit.vault.open(row.note_sealed, context=NOTE_CONTEXT)


def _row(unit: UnitOfWork, run: ReconciliationRun, finding: Finding) -> dict[str, Any]:
    ours, theirs = finding.ours, finding.theirs
    return {
        "operator_id": run.operator_id,
        "id": derive_id(finding.subject_id, f"reconciliation:{finding.code}"),
        "provider": run.provider,
        "day": run.day,
        "code": finding.code.value,
        "movement": None if finding.movement is None else finding.movement.value,
        "number": finding.number,
        "reference": finding.reference,
        "subject_id": finding.subject_id,
        "bill_id": finding.bill_id,
        "session_id": finding.session_id,
        "ours_minor": None if ours is None else ours.amount_minor,
        "ours_currency": None if ours is None else ours.currency,
        "theirs_minor": None if theirs is None else theirs.amount_minor,
        "theirs_currency": None if theirs is None else theirs.currency,
        "happened_at": finding.at,
        "state": DifferenceState.OPEN,
        "first_run_id": run.id,
        "last_run_id": run.id,
        "found_at": unit.now(),
    }
