"""What an operator's staff see of runs and differences, and what they write to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.reconciliation import repository, service
from parking.reconciliation.codes import Code
from parking.reconciliation.models import (
    DifferenceState,
    ReconciliationDifference,
    ReconciliationRun,
)


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """A difference with its note in clear."""

    row: ReconciliationDifference
    code: Code
    ours: Money | None
    theirs: Money | None
    note: str | None


async def page_of_operator(
    context: ParkingContext,
    operator_id: UUID,
    *,
    state: DifferenceState,
    first: int,
    before: UUID | None,
) -> list[DifferenceView]:
    """Return an operator's differences in a state, the newest first."""
    async with context.database.begin() as unit:
        rows = await repository.page_differences(
            unit, operator_id, state=state, first=first, before=before
        )
        return [_view(unit, row) for row in rows]


async def runs_of_operator(
    context: ParkingContext, operator_id: UUID, *, first: int, before: UUID | None
) -> Sequence[ReconciliationRun]:
    """Return an operator's runs, newest first."""
    async with context.database.begin() as unit:
        return await repository.page_runs(unit, operator_id, first=first, before=before)


async def resolve(
    context: ParkingContext, operator_id: UUID, difference_id: UUID, *, note: str, by: str
) -> DifferenceView:
    """Let a person say what became of a difference; see `service.resolve` for the refusals."""
    async with context.database.begin() as unit:
        row = await service.resolve(unit, operator_id, difference_id, note=note, by=by)
        return _view(unit, row)


def _view(unit: UnitOfWork, row: ReconciliationDifference) -> DifferenceView:
    return DifferenceView(
        row=row,
        code=Code(row.code),
        ours=_money(row.ours_minor, row.ours_currency),
        theirs=_money(row.theirs_minor, row.theirs_currency),
        note=service.note_of(unit, row),
    )


def _money(amount_minor: int | None, currency: str | None) -> Money | None:
    return None if amount_minor is None or currency is None else Money(amount_minor, currency)
