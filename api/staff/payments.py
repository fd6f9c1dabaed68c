"""What staff see of orders at payment providers, and what only a person can end."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of, refusable
from api.config import PAGE_SIZE
from api.global_ids import BILL_KIND, decode_id, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.types.money import Money
from api.types.page import PageInfo, require_page_size
from parking.flows.payments import stuck
from parking.flows.payments.stuck import AttemptView
from parking.kit.errors import InvalidInputError
from parking.payments.errors import AttemptUnknownError
from parking.payments.models import AttemptKind, AttemptProblem, AttemptState
from parking.payments.port import Advance
from parking.staff.rules import StaffIdentity

PAYMENT_KIND = "Payment"
_CURSOR = "PaymentCursor"

strawberry.enum(AttemptKind, name="StaffPaymentKind", description="How the money is taken.")
strawberry.enum(
    AttemptState,
    name="StaffPaymentState",
    description="SENT: not answered yet. ACCEPTED and UNKNOWN: the provider is asked again by "
    "itself. SUCCEEDED and FAILED are definitive.",
)
strawberry.enum(
    AttemptProblem,
    name="StaffPaymentProblem",
    description="Why a person must look at it. AMOUNT_MISMATCH: the provider names another "
    "amount. NUMBER_CONFLICT: it knows the number from another order. UNANSWERED: it does not say "
    "how the order ended. TAKEN_AFTER_END: it took the money after the order had ended.",
)
strawberry.enum(
    Advance,
    name="StaffPaymentAdvance",
    description="The provider paid the operator from its own money. OUTSTANDING: the payer has "
    "not given it back to the provider yet. REPAID: the payer has.",
)


@strawberry.type(description="One order at a payment provider; it does not say whose it is.")
class StaffPayment:
    """One order at a provider."""

    id: strawberry.ID
    bill_id: strawberry.ID
    kind: AttemptKind
    provider: str
    number: str = strawberry.field(description="What the provider's console finds it by.")
    provider_reference: str | None = strawberry.field(description="The provider's own id of it.")
    amount: Money
    state: AttemptState
    failure_code: str | None
    advance: Advance | None = strawberry.field(
        description="Null where it was the payer's money from the start."
    )
    problem: AttemptProblem | None
    what_to_do: str | None = strawberry.field(description="For whoever sees to the problem.")
    sent_at: datetime
    finished_at: datetime | None
    ended_by: str | None = strawberry.field(
        description="The person who took the cash, or who ended the payment by hand."
    )
    ended_reason: str | None

    @classmethod
    def of(cls, view: AttemptView) -> "StaffPayment":
        """Return the order for staff."""
        return cls(
            id=encode_id(PAYMENT_KIND, view.operator_id, view.id),
            bill_id=encode_id(BILL_KIND, view.operator_id, view.bill_id),
            kind=view.kind,
            provider=view.provider,
            number=view.number,
            provider_reference=view.provider_reference,
            amount=Money.of(view.amount),
            state=view.state,
            failure_code=view.failure_code,
            advance=view.advance,
            problem=view.problem,
            what_to_do=view.what_to_do,
            sent_at=view.sent_at,
            finished_at=view.finished_at,
            ended_by=view.ended_by,
            ended_reason=view.ended_reason,
        )


@strawberry.type(description="A page of payments, newest first.")
class StaffPaymentPage:
    """A page of payments."""

    nodes: list[StaffPayment]
    page_info: PageInfo


@strawberry.type(description="The provider was asked.")
class PaymentAsked:
    """The provider was asked."""

    payment: StaffPayment


@strawberry.type(description="The payment has ended; its bill may be paid anew if it was not.")
class PaymentEnded:
    """The payment has ended."""

    payment: StaffPayment


@strawberry.input
class AskPaymentAgainInput:
    """Which payment."""

    payment_id: strawberry.ID


@strawberry.input
class EndPaymentInput:
    """Which payment, and on whose word."""

    payment_id: strawberry.ID
    provider_checked: bool = strawberry.field(
        description="True once you saw at the provider that it holds no money of this order."
    )
    reason: str = strawberry.field(description="Kept with your name.")


@refusable
async def ask_payment_again(
    info: Info, given: Annotated[AskPaymentAgainInput, Given]
) -> PaymentAsked:
    """Ask the provider about a payment."""
    staff = info.context.staff()
    attempt_id = _own(staff, given.payment_id)
    view = await stuck.ask_again(info.context.parking, staff.operator_id, attempt_id)
    return PaymentAsked(payment=StaffPayment.of(view))


@keyed(by_staff)
async def end_payment(info: Info, given: Annotated[EndPaymentInput, Given]) -> PaymentEnded:
    """End a payment by hand."""
    staff = info.context.staff()
    attempt_id = _own(staff, given.payment_id)
    if not given.provider_checked:
        raise InvalidInputError(
            "providerChecked", "true, after the order was seen to at the provider"
        )
    view = await stuck.end_by_hand(
        info.context.parking,
        staff.operator_id,
        attempt_id,
        by=staff.recorded_name,
        reason=given.reason,
    )
    return PaymentEnded(payment=StaffPayment.of(view))


@strawberry.type
class PaymentQueries:
    """The reads about orders at providers."""

    @strawberry.field(
        description="Every try to pay one of your operator's bills, oldest first; empty for "
        "another's, as for none."
    )
    async def payments(self, info: Info, bill_id: strawberry.ID) -> list[StaffPayment]:
        """Return a bill's payments."""
        staff = info.context.staff()
        keys = decode_keys(bill_id, kind=BILL_KIND, count=2, field="billId")
        if keys[0] != staff.operator_id:
            return []
        views = await stuck.list_of_bill(info.context.parking, *keys)
        return [StaffPayment.of(view) for view in views]

    @strawberry.field(
        description="Payments that need a person, newest first: each says what to do."
    )
    async def payments_needing_staff(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> StaffPaymentPage:
        """Return a page of payments."""
        staff = info.context.staff()
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        views = await stuck.page_of_stuck(
            info.context.parking,
            staff.operator_id,
            first=first + 1,
            before=before,
            places=staff.places,
        )
        shown = views[:first]
        return StaffPaymentPage(
            nodes=[StaffPayment.of(view) for view in shown],
            page_info=PageInfo.of(
                [encode_id(_CURSOR, view.id) for view in shown],
                has_more=len(views) > first,
                after=after,
            ),
        )


@strawberry.type
class PaymentMutations:
    """What a person does about an order."""

    ask_payment_again = strawberry.mutation(
        ask_payment_again,
        graphql_type=outcome_of(PaymentAsked, "AskPaymentAgainResult"),
        description="Ask the provider now how a payment ended. Repeating it moves nothing.",
    )
    end_payment = strawberry.mutation(
        end_payment,
        graphql_type=outcome_of(PaymentEnded, "EndPaymentResult"),
        description="End a payment that needs a person, once the provider holds no money of it. "
        "What the provider says definitively counts all the same. Repeating it changes nothing.",
    )


def _own(staff: StaffIdentity, text: str) -> UUID:
    operator_id, attempt_id = decode_keys(text, kind=PAYMENT_KIND, count=2, field="paymentId")
    if operator_id != staff.operator_id:
        raise AttemptUnknownError("paymentId: expected one of yours")
    return attempt_id
