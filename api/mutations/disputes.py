"""Contesting a bill, and taking that back."""

from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import BILL_KIND, decode_id, decode_keys
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.dispute import DISPUTE_KIND, Dispute
from parking.disputes.models import DisputeReason
from parking.disputes.rules import COMMENT_LENGTH_MAX, DISPUTABLE_FOR
from parking.flows.disputes import dispute_opening, dispute_view


@strawberry.type(description="The bill is contested.")
class BillDisputed:
    """The bill is contested."""

    dispute: Dispute


@strawberry.type(description="The dispute is taken back.")
class DisputeWithdrawn:
    """The dispute is taken back."""

    dispute: Dispute


@strawberry.input
class DisputeBillInput:
    """What is contested, and why."""

    bill_id: strawberry.ID
    line_index: int | None = strawberry.field(
        default=None, description="The line, from 0; null for the whole bill."
    )
    reason: DisputeReason
    comment: str = strawberry.field(
        default="", description=f"At most {COMMENT_LENGTH_MAX} characters."
    )


@strawberry.input
class WithdrawDisputeInput:
    """Which dispute."""

    dispute_id: strawberry.ID


@keyed(by_driver)
async def dispute_bill(info: Info, given: Annotated[DisputeBillInput, Given]) -> BillDisputed:
    """Contest a bill."""
    driver_id = await info.context.driver_id()
    operator_id, bill_id = decode_keys(given.bill_id, kind=BILL_KIND, count=2, field="billId")
    dispute = await dispute_opening.dispute_bill(
        info.context.parking,
        driver_id,
        (operator_id, bill_id),
        reason=given.reason,
        comment=given.comment,
        line_index=given.line_index,
    )
    view = await dispute_view.view_of(info.context.parking, dispute)
    return BillDisputed(dispute=Dispute.of(view))


@keyed(by_driver)
async def withdraw_dispute(
    info: Info, given: Annotated[WithdrawDisputeInput, Given]
) -> DisputeWithdrawn:
    """Take a dispute back."""
    driver_id = await info.context.driver_id()
    dispute_id = decode_id(given.dispute_id, kind=DISPUTE_KIND, field="disputeId")
    view = await dispute_view.withdraw(info.context.parking, driver_id, dispute_id)
    return DisputeWithdrawn(dispute=Dispute.of(view))


@strawberry.type
class DisputeMutations:
    """The mutations of this module."""

    dispute_bill = strawberry.mutation(
        dispute_bill,
        graphql_type=outcome_of(BillDisputed, "DisputeBillResult"),
        description="Contest one of your bills, or one line of it, up to "
        f"{DISPUTABLE_FOR.days} days after it was issued. Repeating it while that is open "
        "answers with the same dispute. WRONG_VEHICLE is refunded at once where the pictures do "
        "not prove that it was your car; anything else waits for a person.",
    )
    withdraw_dispute = strawberry.mutation(
        withdraw_dispute,
        graphql_type=outcome_of(DisputeWithdrawn, "WithdrawDisputeResult"),
        description="Take your dispute back before it is decided. Repeating it changes nothing.",
    )
