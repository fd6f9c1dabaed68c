"""What staff see of comparing their books with the providers', and what they write to it."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from api.acting import Given, outcome_of, refusable
from api.config import PAGE_SIZE
from api.global_ids import BILL_KIND, decode_id, encode_id
from api.request import Info
from api.types.money import MoneySum
from api.types.page import PageInfo, require_page_size
from parking.flows.reconciliation import difference_view
from parking.flows.reconciliation.difference_view import DifferenceView
from parking.kit import money
from parking.reconciliation.models import DifferenceState, ReconciliationRun
from parking.reconciliation.service import NOTE_LENGTH_MAX

DIFFERENCE_KIND = "ReconciliationDifference"
RUN_KIND = "ReconciliationRun"
_DIFFERENCE_CURSOR = "DifferenceCursor"
_RUN_CURSOR = "ReconciliationRunCursor"

strawberry.enum(
    DifferenceState,
    name="ReconciliationDifferenceState",
    description="GONE: a later comparison of the same day did not find it any more.",
)


@strawberry.type(description="What does not match between gate, bills and a provider's books.")
class StaffDifference:
    """A row that does not match."""

    id: strawberry.ID
    provider: str
    day: date = strawberry.field(description="The provider's, in its own time zone.")
    code: str = strawberry.field(
        description="Stable, such as `missing_at_provider`; docs/reconciliation.md has them all. "
        "More may come."
    )
    meaning: str
    advice: str = strawberry.field(description="What to do.")
    number: str = strawberry.field(description="Ours at the provider; empty where there is none.")
    reference: str = strawberry.field(description="The provider's id; empty where there is none.")
    ours: MoneySum | None = strawberry.field(description="What your books say.")
    theirs: MoneySum | None = strawberry.field(
        description="What the provider, or the ledger, says."
    )
    bill_id: strawberry.ID | None
    session_id: strawberry.ID | None
    happened_at: datetime
    found_at: datetime
    state: DifferenceState
    closed_at: datetime | None
    resolved_by: str | None
    note: str | None

    @classmethod
    def of(cls, view: DifferenceView) -> "StaffDifference":
        """Return the difference for staff; it does not say whose money it is."""
        row = view.row
        bill_id = (
            None if row.bill_id is None else encode_id(BILL_KIND, row.operator_id, row.bill_id)
        )
        return cls(
            id=encode_id(DIFFERENCE_KIND, row.id),
            provider=row.provider,
            day=row.day,
            code=view.code.value,
            meaning=view.code.words.meaning,
            advice=view.code.words.advice,
            number=row.number,
            reference=row.reference,
            ours=None if view.ours is None else MoneySum.of(view.ours),
            theirs=None if view.theirs is None else MoneySum.of(view.theirs),
            bill_id=bill_id,
            session_id=None if row.session_id is None else encode_id("Session", row.session_id),
            happened_at=row.happened_at,
            found_at=row.found_at,
            state=DifferenceState(row.state),
            closed_at=row.closed_at,
            resolved_by=row.resolved_by,
            note=view.note,
        )


@strawberry.type(description="A page of differences, the newest first.")
class StaffDifferencePage:
    """A page of differences."""

    nodes: list[StaffDifference]
    page_info: PageInfo


@strawberry.type(description="What one kind of movement came to on a day.")
class ReconciliationTotal:
    """What one kind of movement came to."""

    movement: str = strawberry.field(
        description="`charge`, `refund`, `chargeback` or `chargeback_reversed`."
    )
    theirs_count: int
    theirs: MoneySum = strawberry.field(description="In the provider's settlement file.")
    ours_count: int
    ours: MoneySum = strawberry.field(description="In your books.")
    fees: MoneySum = strawberry.field(description="What the provider kept.")


@strawberry.type(description="How many cars your gates let out for one reason.")
class ReconciliationOpening:
    """Cars let out for one reason."""

    reason: str
    cars: int


@strawberry.type(description="One comparison of a provider's day with your books and gates.")
class StaffReconciliation:
    """One comparison."""

    id: strawberry.ID
    provider: str
    day: date
    timezone: str
    ran_at: datetime
    differences: int
    is_provisional: bool = strawberry.field(description="The next day's file was not there yet.")
    totals: list[ReconciliationTotal]
    openings: list[ReconciliationOpening]

    @classmethod
    def of(cls, run: ReconciliationRun) -> "StaffReconciliation":
        """Return the run for staff."""
        return cls(
            id=encode_id(RUN_KIND, run.id),
            provider=run.provider,
            day=run.day,
            timezone=run.timezone,
            ran_at=run.ran_at,
            differences=run.differences,
            is_provisional=run.is_provisional,
            totals=[
                ReconciliationTotal(
                    movement=one["movement"],
                    theirs_count=one["theirs"],
                    theirs=_money(one["theirs_minor"], one["currency"]),
                    ours_count=one["ours"],
                    ours=_money(one["ours_minor"], one["currency"]),
                    fees=_money(one["fee_minor"], one["currency"]),
                )
                for one in run.totals
            ],
            openings=[
                ReconciliationOpening(reason=reason, cars=cars)
                for reason, cars in sorted(run.openings.items())
            ],
        )


@strawberry.type(description="A page of comparisons, newest first.")
class StaffReconciliationPage:
    """A page of comparisons."""

    nodes: list[StaffReconciliation]
    page_info: PageInfo


@strawberry.type(description="Somebody has seen to the difference.")
class DifferenceResolved:
    """Somebody has seen to it."""

    difference: StaffDifference


@strawberry.input
class ResolveDifferenceInput:
    """Which difference, and what became of it."""

    difference_id: strawberry.ID
    note: str = strawberry.field(
        description=f"What you found and did, at most {NOTE_LENGTH_MAX} characters."
    )


@refusable
async def resolve_difference(
    info: Info, given: Annotated[ResolveDifferenceInput, Given]
) -> DifferenceResolved:
    """Close a difference by a person's word."""
    staff = info.context.staff()
    view = await difference_view.resolve(
        info.context.parking,
        staff.operator_id,
        decode_id(given.difference_id, kind=DIFFERENCE_KIND, field="differenceId"),
        note=given.note,
        by=staff.recorded_name,
    )
    return DifferenceResolved(difference=StaffDifference.of(view))


@strawberry.type
class ReconciliationQueries:
    """The reads about comparing books."""

    @strawberry.field(
        description="What does not match between your gates, your bills and the providers' books, "
        "the newest first; without a state, what is open."
    )
    async def reconciliation_differences(
        self,
        info: Info,
        state: DifferenceState = DifferenceState.OPEN,
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> StaffDifferencePage:
        """Return a page of differences."""
        staff = info.context.staff()
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_DIFFERENCE_CURSOR, field="after")
        views = await difference_view.page_of_operator(
            info.context.parking,
            staff.operator_id,
            state=state,
            # One more than asked for tells whether there is a next page.
            first=first + 1,
            before=before,
        )
        shown = views[:first]
        return StaffDifferencePage(
            nodes=[StaffDifference.of(view) for view in shown],
            page_info=PageInfo.of(
                [encode_id(_DIFFERENCE_CURSOR, view.row.id) for view in shown],
                has_more=len(views) > first,
                after=after,
            ),
        )

    @strawberry.field(
        description="The comparisons of your operator's days, newest first. A day is compared when "
        "its settlement file is there, and once more two days later."
    )
    async def reconciliations(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> StaffReconciliationPage:
        """Return a page of runs."""
        staff = info.context.staff()
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_RUN_CURSOR, field="after")
        runs = await difference_view.runs_of_operator(
            info.context.parking, staff.operator_id, first=first + 1, before=before
        )
        shown = runs[:first]
        return StaffReconciliationPage(
            nodes=[StaffReconciliation.of(run) for run in shown],
            page_info=PageInfo.of(
                [encode_id(_RUN_CURSOR, run.id) for run in shown],
                has_more=len(runs) > first,
                after=after,
            ),
        )


@strawberry.type
class ReconciliationMutations:
    """The writes about comparing books."""

    resolve_difference = strawberry.mutation(
        resolve_difference,
        graphql_type=outcome_of(DifferenceResolved, "ResolveDifferenceResult"),
        description="Say what became of a difference; your name, the time and the note are kept, "
        "and it stays resolved in later comparisons. It moves no money. Of two people at once one "
        "resolves it; the other is refused with DIFFERENCE_CLOSED. Repeating your own note changes "
        "nothing.",
    )


def _money(amount_minor: int, currency: str) -> MoneySum:
    return MoneySum.of(money.Money(amount_minor, currency))
