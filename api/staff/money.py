"""What staff correct and give back."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of
from api.config import PAGE_SIZE
from api.global_ids import BILL_KIND, decode_id, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.types.money import Money, MoneyInput, required_money
from api.types.page import PageInfo, require_page_size
from api.types.refund import REFUND_KIND
from parking.flows.payments import desk_refund, refund_view
from parking.flows.payments.correction import (
    Correction,
    CorrectionOutcome,
    correct_stay,
    session_of_bill,
)
from parking.flows.payments.refund_view import RefundView
from parking.kit.errors import InvalidInputError
from parking.payments.errors import BillUnknownError, RefundUnknownError
from parking.payments.models import RefundState
from parking.staff.rules import StaffIdentity
from parking.tariffs.model_part import validated
from parking.tariffs.rules import Vehicle

_CURSOR = "RefundCursor"

strawberry.enum(
    RefundState,
    name="StaffRefundState",
    description="SENT: not answered yet. ACCEPTED and UNKNOWN: the provider is asked again by "
    "itself. SUCCEEDED: given back. FAILED: refused for good; see `retryRefund`.",
)


@strawberry.type(description="Money that goes back out of one payment.")
class StaffRefund:
    """Money that goes back."""

    id: strawberry.ID
    bill_id: strawberry.ID
    amount: Money
    state: RefundState
    reason: str = strawberry.field(description="What the payer reads.")
    provider: str
    failure_code: str | None = strawberry.field(description="The provider's, of a failed one.")
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, view: RefundView) -> "StaffRefund":
        """Return the refund for staff; it does not say whose it is."""
        return cls(
            id=encode_id(REFUND_KIND, view.operator_id, view.id),
            bill_id=encode_id(BILL_KIND, view.operator_id, view.bill_id),
            amount=Money.of(view.amount),
            state=view.state,
            reason=view.reason,
            provider=view.provider,
            failure_code=view.failure_code,
            requested_by=view.requested_by,
            requested_at=view.requested_at,
            finished_at=view.finished_at,
        )


@strawberry.type(description="A page of refunds, those of the newest payments first.")
class StaffRefundPage:
    """A page of refunds."""

    nodes: list[StaffRefund]
    page_info: PageInfo


@strawberry.type(description="The stay is corrected, and what was paid too much goes back.")
class BillCorrected:
    """The stay is corrected."""

    bill_ids: list[strawberry.ID] = strawberry.field(
        description="The new versions; empty where the stay costs no less."
    )
    before: Money = strawberry.field(description="What the stay's bills said in sum.")
    after: Money = strawberry.field(description="What they say now.")
    refunds: list[StaffRefund]

    @classmethod
    def of(cls, outcome: CorrectionOutcome) -> "BillCorrected":
        """Return what a correction did."""
        return cls(
            bill_ids=[encode_id(BILL_KIND, bill.operator_id, bill.id) for bill in outcome.bills],
            before=Money.of(outcome.before),
            after=Money.of(outcome.after),
            refunds=[StaffRefund.of(refund_view.view_of(one)) for one in outcome.refunds],
        )


@strawberry.type(description="The refund is stored, and sent unless the provider is out of reach.")
class BillRefunded:
    """The refund is stored."""

    refund: StaffRefund


@strawberry.input
class CorrectedVehicleInput:
    """What the vehicle is."""

    vehicle_class: str = "car"
    is_ev: bool = False
    is_resident: bool = False


@strawberry.input(description="What was wrong with a stay; leave out what was right.")
class CorrectBillInput:
    """What was wrong with a stay."""

    bill_id: strawberry.ID = strawberry.field(description="A bill of the stay, any version.")
    correction_id: str = strawberry.field(
        description="Yours, to name this correction: sending it again changes nothing."
    )
    reason: str = strawberry.field(description="The driver may read it.")
    entered_at: datetime | None = strawberry.field(
        default=None, description="The right entry, not before the recorded one."
    )
    left_at: datetime | None = strawberry.field(
        default=None, description="The right exit, not after the recorded one."
    )
    vehicle: CorrectedVehicleInput | None = None
    waive: bool = strawberry.field(default=False, description="The stay costs nothing.")
    waived_lines: list[int] | None = strawberry.field(
        default=None, description="Lines of the bill, from 0, that are given up; nothing else then."
    )


@strawberry.input
class RefundBillInput:
    """What goes back, and why."""

    bill_id: strawberry.ID = strawberry.field(description="Of a stay or of a pass, any version.")
    amount: MoneyInput
    refund_key: str = strawberry.field(
        description="Yours, to name this refund: sending it again gives back once."
    )
    reason: str = strawberry.field(description="What the payer reads.")


@strawberry.input
class RetryRefundInput:
    """Which refund."""

    refund_id: strawberry.ID


@keyed(by_staff)
async def correct_bill(info: Info, given: Annotated[CorrectBillInput, Given]) -> BillCorrected:
    """Correct the stay that a bill is of."""
    staff = info.context.staff()
    bill_id = _own_bill(staff, given.bill_id)
    if not given.correction_id:
        raise InvalidInputError("correctionId", "your name for this correction")
    session_id = await session_of_bill(info.context.parking, staff.operator_id, bill_id)
    outcome = await correct_stay(
        info.context.parking,
        staff.operator_id,
        session_id,
        Correction(
            entered_at=given.entered_at,
            left_at=given.left_at,
            vehicle=_vehicle(given.vehicle),
            waive=given.waive,
            waived_lines=tuple(given.waived_lines or ()),
            bill_id=bill_id if given.waived_lines else None,
        ),
        correction_id=f"desk:{given.correction_id}",
        by=staff.recorded_name,
        reason=given.reason,
    )
    return BillCorrected.of(outcome)


@keyed(by_staff)
async def refund_bill(info: Info, given: Annotated[RefundBillInput, Given]) -> BillRefunded:
    """Give a part of a bill back."""
    staff = info.context.staff()
    view = await desk_refund.refund_bill(
        info.context.parking,
        staff.operator_id,
        _own_bill(staff, given.bill_id),
        required_money(given.amount, field="amount"),
        key=given.refund_key,
        reason=given.reason,
        by=staff.recorded_name,
    )
    return BillRefunded(refund=StaffRefund.of(view))


@keyed(by_staff)
async def retry_refund(info: Info, given: Annotated[RetryRefundInput, Given]) -> BillRefunded:
    """Send the money of a failed refund again."""
    staff = info.context.staff()
    operator_id, refund_id = decode_keys(
        given.refund_id, kind=REFUND_KIND, count=2, field="refundId"
    )
    if operator_id != staff.operator_id:
        raise RefundUnknownError("refundId: expected one of yours")
    view = await desk_refund.retry(
        info.context.parking, operator_id, refund_id, by=staff.recorded_name
    )
    return BillRefunded(refund=StaffRefund.of(view))


@strawberry.type
class MoneyQueries:
    """The reads about money that goes back."""

    @strawberry.field(
        description="Your operator's refunds in a state; without one, those that failed."
    )
    async def refunds(
        self,
        info: Info,
        state: RefundState = RefundState.FAILED,
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> StaffRefundPage:
        """Return a page of refunds."""
        staff = info.context.staff()
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        views = await refund_view.page_of_operator(
            info.context.parking,
            staff.operator_id,
            states=[state],
            # One more than asked for tells whether there is a next page.
            first=first + 1,
            before=before,
            places=staff.places,
        )
        shown = views[:first]
        return StaffRefundPage(
            nodes=[StaffRefund.of(view) for view in shown],
            page_info=PageInfo.of(
                [encode_id(_CURSOR, view.id) for view in shown],
                has_more=len(views) > first,
                after=after,
            ),
        )


@strawberry.type
class MoneyMutations:
    """The writes about money that goes back."""

    correct_bill = strawberry.mutation(
        correct_bill,
        graphql_type=outcome_of(BillCorrected, "CorrectBillResult"),
        description="Price a stay again with the right facts. Its bills get new versions that "
        "never cost more, and the difference goes back. Your name is kept with it.",
    )
    refund_bill = strawberry.mutation(
        refund_bill,
        graphql_type=outcome_of(BillRefunded, "RefundBillResult"),
        description="Give a part of a paid bill back: it gets a new version with a line for it.",
    )
    retry_refund = strawberry.mutation(
        retry_refund,
        graphql_type=outcome_of(BillRefunded, "RetryRefundResult"),
        description="Send the money of a failed refund again, under a new number. Repeating it "
        "returns the same new refund.",
    )


def _own_bill(staff: StaffIdentity, text: str) -> UUID:
    operator_id, bill_id = decode_keys(text, kind=BILL_KIND, count=2, field="billId")
    if operator_id != staff.operator_id:
        raise BillUnknownError("billId: expected one of yours")
    return bill_id


def _vehicle(given: CorrectedVehicleInput | None) -> Vehicle | None:
    if given is None:
        return None
    said = {
        "vehicle_class": given.vehicle_class,
        "is_ev": given.is_ev,
        "is_resident": given.is_resident,
    }
    return validated(Vehicle, said, "vehicle")
