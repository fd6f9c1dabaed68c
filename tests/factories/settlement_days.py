"""A lane's world on one day of its provider, whose settlement file a test may falsify."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from parking.flows.reconciliation.comparing import DayReport, compare
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.payments.port import SettlementKind, SettlementRow
from parking.reconciliation.codes import Code
from parking.reconciliation.facts import Finding, Movement, Opening
from parking.reconciliation.service import NewRun, store_run
from tests.factories.lane_world import PLATE, LaneWorld

Rows = tuple[SettlementRow, ...]
Edit = Callable[[Rows], Rows]


def falsify(world: LaneWorld, day: date, edit: Edit) -> None:
    """Let the provider's file of a day be what `edit` makes of it."""
    honest = world.provider.fetch_settlement

    async def fetch_settlement(asked: date) -> Rows:
        rows = await honest(asked)
        return edit(rows) if asked == day else rows

    world.provider.fetch_settlement = fetch_settlement  # pyright: ignore[reportAttributeAccessIssue] - one test's provider


def morning(world: LaneWorld) -> date:
    """Move the clock to eight in the morning of the next day, UTC; returns that day."""
    today = world.clock.now().date()
    start = datetime(today.year, today.month, today.day, tzinfo=UTC)
    world.clock.advance(start + timedelta(days=1, hours=8) - world.clock.now())
    return world.clock.now().date()


def next_morning(world: LaneWorld) -> None:
    """Let the day and the night pass."""
    morning(world)


async def paid_stay(world: LaneWorld, plate: str = PLATE) -> None:
    """Let a car stay 45 minutes and leave for 10.00, paid at the exit."""
    await world.permit(await world.add_driver(plate))
    await world.drive_in(plate)
    world.wait(minutes=45)
    decision = await world.drive_out(plate)
    assert (decision.action, decision.reason) == ("open", "paid")


async def compared(world: LaneWorld, day: date) -> DayReport:
    return await compare(world.context, "fake", day)


def codes_of(report: DayReport) -> list[tuple[Code, Money | None, Money | None]]:
    found = [(one.code, one.ours, one.theirs) for one in report.findings]
    return sorted(found, key=lambda one: one[0])


def openings_of(report: DayReport) -> dict[Opening, int]:
    return {opening: count for (_, opening), count in report.openings.items()}


def row_of(
    day: date,
    *,
    number: str = "f" * 32,
    reference: str = "txn_1",
    amount_minor: int = 700,
    kind: SettlementKind = SettlementKind.CHARGE,
) -> SettlementRow:
    return SettlementRow(
        kind=kind,
        number=number,
        reference=reference,
        amount=Money(amount_minor, "CNY"),
        fee_minor=5,
        occurred_at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
    )


async def store_difference(world: LaneWorld, *, number: str = "f" * 32) -> UUID:
    """Store a run of the operator that found money which nobody knows; returns its difference."""
    now = world.clock.now()
    finding = Finding(
        code=Code.MISSING_IN_BOOKS,
        operator_id=world.exit.operator_id,
        subject_id=new_id(now),
        at=now,
        movement=Movement.CHARGE,
        number=number,
        reference="txn_1",
        theirs=Money(700, "CNY"),
    )
    new = NewRun(
        operator_id=world.exit.operator_id,
        provider="fake",
        day=now.date(),
        timezone="UTC",
        findings=(finding,),
        differences=1,
        totals=[],
        openings={"paid": 1},
        is_provisional=False,
    )
    async with world.context.database.begin() as unit:
        await store_run(unit, new)
    [row] = await world.rows(
        "SELECT id FROM reconciliation_differences WHERE subject_id = :id", id=finding.subject_id
    )
    found: UUID = row["id"]
    return found
