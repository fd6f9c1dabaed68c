"""Disputes as their driver sees them, and as the operator's staff does."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from parking.disputes import repository
from parking.disputes import service as disputes
from parking.disputes.models import Dispute, DisputeState
from parking.flows.bills.checks import Check
from parking.flows.context import ParkingContext
from parking.flows.disputes import dispute_evidence
from parking.flows.disputes.dispute_evidence import ReadView, StayEvidence
from parking.flows.proof import verification
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments import repository as payments
from parking.payments.models import Bill
from parking.places import repository as places
from parking.sessions import repository as sessions
from parking.sessions.models import Session


class MomentKind(StrEnum):
    """What happened at a moment of the case."""

    ENTERED = "entered"
    AT_EXIT = "at_exit"
    BILL_ISSUED = "bill_issued"
    BILL_PAID = "bill_paid"
    LEFT = "left"
    LATER_CAR = "later_car"
    DISPUTED = "disputed"
    DECIDED = "decided"
    REVIEWED = "reviewed"


# What happens at the same moment is told in the order in which it follows.
_ORDER = tuple(MomentKind)


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of the case; `note` names a person or says an amount."""

    at: datetime
    kind: MomentKind
    note: str = ""


@dataclass(frozen=True, slots=True)
class DisputeView:
    """One dispute without its evidence.

    Attributes:
        is_being_decided: A decision is written down and waits to be carried out, such as for a
            payment under way.
        place_name: None where the place is gone.
    """

    row: Dispute
    comment: str
    words: str | None
    is_being_decided: bool
    place_name: str | None

    @property
    def refunded(self) -> Money | None:
        """What went back, or is on its way; None before a decision."""
        minor = self.row.refunded_minor
        return None if minor is None else Money(minor, self.row.currency)


@dataclass(frozen=True, slots=True)
class DisputeCase:
    """All that staff decide by.

    Attributes:
        bill: The disputed one, as it was; a newer version may count by now.
        bills: Those of the stay that count now, oldest first.
        later: The car that read as the plate after the stay had ended.
        checks: The disputed bill computed again from what is stored.
    """

    view: DisputeView
    session: Session
    bill: Bill
    bills: Sequence[Bill]
    evidence: StayEvidence
    later: ReadView | None
    checks: Sequence[Check]
    timeline: Sequence[Moment]


async def view_of(context: ParkingContext, dispute: Dispute) -> DisputeView:
    """Return one dispute that the caller was given."""
    async with context.database.begin() as unit:
        [view] = await _views(unit, [dispute])
    return view


async def page_of_driver(
    context: ParkingContext, driver_id: UUID, *, first: int, before: UUID | None
) -> list[DisputeView]:
    """Return the driver's disputes, newest first."""
    async with context.database.begin() as unit:
        rows = await repository.page_of_driver(unit, driver_id, first=first, before=before)
        return await _views(unit, rows)


async def find_of_driver(
    context: ParkingContext, driver_id: UUID, dispute_id: UUID
) -> DisputeView | None:
    """Return one of the driver's disputes; None for another's, as for none."""
    async with context.database.begin() as unit:
        own = await repository.find_of_driver(unit, driver_id, dispute_id)
        if own is None:
            return None
        row = await repository.find_dispute(unit, own.operator_id, dispute_id)
        return None if row is None else (await _views(unit, [row]))[0]


async def withdraw(context: ParkingContext, driver_id: UUID, dispute_id: UUID) -> DisputeView:
    """Take a dispute back; raises as `disputes.withdraw`."""
    async with context.database.begin() as unit:
        row = await disputes.withdraw(unit, driver_id, dispute_id)
        return (await _views(unit, [row]))[0]


async def page_of_operator(
    context: ParkingContext,
    operator_id: UUID,
    *,
    state: DisputeState | None,
    is_review_due: bool | None,
    first: int,
    before: UUID | None,
    places: Collection[UUID] | None = None,
) -> list[DisputeView]:
    """Return an operator's disputes, at `places` only, newest first."""
    async with context.database.begin() as unit:
        rows = await repository.page(
            unit,
            operator_id,
            state=state,
            is_review_due=is_review_due,
            first=first,
            before=before,
            places=places,
        )
        return await _views(unit, rows)


async def review(
    context: ParkingContext, operator_id: UUID, dispute_id: UUID, *, staff_name: str
) -> DisputeView:
    """Record that a person looked at a misread that the system found."""
    async with context.database.begin() as unit:
        row = await disputes.review(unit, operator_id, dispute_id, staff_name=staff_name)
        return (await _views(unit, [row]))[0]


async def find_case(
    context: ParkingContext, operator_id: UUID, dispute_id: UUID
) -> DisputeCase | None:
    """Return everything about an operator's dispute; None for another's, as for none."""
    async with context.database.begin() as unit:
        row = await repository.find_dispute(unit, operator_id, dispute_id)
        if row is None:
            return None
        session = await sessions.find_session(unit, operator_id, row.session_id)
        bill = await payments.find_bill(unit, operator_id, row.bill_id)
        if session is None or bill is None:
            return None
        bills = await payments.find_bills(unit, operator_id, session.id)
        evidence = await dispute_evidence.gather(unit, session, context.deciding_thresholds)
        later = (
            None
            if row.later_presentation_id is None
            else await dispute_evidence.look_at(
                unit,
                operator_id,
                row.later_presentation_id,
                evidence.plate,
                context.deciding_thresholds,
            )
        )
        checks = (await verification.verify(unit, operator_id, bill.id)).checks
        [view] = await _views(unit, [row])
        moments = _timeline(row, session, _distinct(bill, bills), evidence, later)
    return DisputeCase(view, session, bill, bills, evidence, later, checks, moments)


def _timeline(
    row: Dispute,
    session: Session,
    bills: Iterable[Bill],
    evidence: StayEvidence,
    later: ReadView | None,
) -> list[Moment]:
    found: list[tuple[datetime | None, MomentKind, str]] = [
        (session.entered_at, MomentKind.ENTERED, ""),
        (None if evidence.exit is None else evidence.exit.occurred_at, MomentKind.AT_EXIT, ""),
        (session.left_at, MomentKind.LEFT, ""),
        (None if later is None else later.occurred_at, MomentKind.LATER_CAR, ""),
        (row.opened_at, MomentKind.DISPUTED, str(row.opened_by)),
        (row.decided_at, MomentKind.DECIDED, row.decided_by or ""),
        (row.reviewed_at, MomentKind.REVIEWED, row.reviewed_by or ""),
    ]
    for bill in bills:
        amount = Money(bill.total_minor, bill.currency).format()
        found.append((bill.issued_at, MomentKind.BILL_ISSUED, amount))
        found.append((bill.paid_at, MomentKind.BILL_PAID, amount))
    moments = [Moment(at, kind, note) for at, kind, note in found if at is not None]
    return sorted(moments, key=lambda moment: (moment.at, _ORDER.index(moment.kind)))


def _distinct(bill: Bill, bills: Sequence[Bill]) -> list[Bill]:
    return [bill, *(other for other in bills if other.id != bill.id)]


async def _views(unit: UnitOfWork, rows: Sequence[Dispute]) -> list[DisputeView]:
    if not rows:
        return []
    grounds = await places.find_places(unit, {(row.operator_id, row.place_id) for row in rows})
    views: list[DisputeView] = []
    for row in rows:
        place = grounds.get((row.operator_id, row.place_id))
        is_being_decided = row.state == DisputeState.OPEN and row.decision is not None
        # Words that are not carried out yet may still be taken back.
        words = None if is_being_decided else disputes.words_of(unit, row)
        views.append(
            DisputeView(
                row=row,
                comment=disputes.comment_of(unit, row),
                words=words,
                is_being_decided=is_being_decided,
                place_name=None if place is None else place.name,
            )
        )
    return views
