"""What staff decide about paying after departure."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import BILL_KIND, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.types.money import Money, MoneyInput, checked_money, required_money
from parking.flows.payments import credit_terms
from parking.flows.payments.credit_terms import NewPolicy
from parking.kit import money
from parking.kit.errors import InvalidInputError
from parking.payments.credit_models import CreditPolicy, CreditRequirement
from parking.payments.errors import BillUnknownError

PLACES_MAX = 200

strawberry.enum(
    CreditRequirement,
    name="CreditRequirement",
    description="What a driver needs to leave on credit: an account that may be charged, a "
    "history of bills paid in time, one of them, or both.",
)


@strawberry.type(description="How drivers may pay after departure, in one currency.")
class StaffCreditPolicy:
    """An operator's policy."""

    currency: str
    is_open: bool
    requirement: CreditRequirement
    first_limit: Money
    step_bills: int
    limit_step: Money
    limit_max: Money
    history_bills: int
    arrears_days: int
    place_ids: list[strawberry.ID] = strawberry.field(description="Empty for all places.")
    changed_by: str
    changed_at: datetime

    @classmethod
    def of(cls, policy: CreditPolicy) -> "StaffCreditPolicy":
        """Return the policy for its operator's staff."""
        return cls(
            currency=policy.currency,
            is_open=policy.is_open,
            requirement=CreditRequirement(policy.requirement),
            first_limit=_money(policy.first_minor, policy),
            step_bills=policy.step_bills,
            limit_step=_money(policy.step_minor, policy),
            limit_max=_money(policy.most_minor, policy),
            history_bills=policy.history_bills,
            arrears_days=policy.arrears_days,
            place_ids=[
                encode_id("Place", policy.operator_id, credit_terms.place_of(one))
                for one in policy.place_ids
            ],
            changed_by=policy.changed_by,
            changed_at=policy.changed_at,
        )


@strawberry.type(description="The policy counts from now on; what is used already stays owed.")
class CreditPolicySet:
    """The policy is set."""

    policy: StaffCreditPolicy


@strawberry.type(description="The driver of the bill has credit here, or none.")
class CreditFrozen:
    """The driver's credit is as asked for."""

    is_frozen: bool
    has_changed: bool


@strawberry.input
class SetCreditPolicyInput:
    """How drivers may pay after departure."""

    is_open: bool = strawberry.field(description="False: nobody leaves on credit.")
    requirement: CreditRequirement = CreditRequirement.MANDATE
    first_limit: MoneyInput = strawberry.field(
        description="The limit of a driver without a history. Its currency is the policy's."
    )
    step_bills: int = strawberry.field(
        default=5, description="How many bills paid in time raise the limit once."
    )
    limit_step: MoneyInput | None = strawberry.field(
        default=None, description="By how much, in the same currency; null for not at all."
    )
    limit_max: MoneyInput = strawberry.field(
        description="What no limit exceeds, in the same currency."
    )
    history_bills: int = strawberry.field(default=3, description="What a good history is.")
    arrears_days: int = strawberry.field(
        default=14, description="Whoever owes anything longer than this gets no more credit."
    )
    place_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Where; leave it out for all places."
    )


@strawberry.input
class FreezeCreditInput:
    """Whose credit: a driver is named by a bill of theirs."""

    bill_id: strawberry.ID
    is_frozen: bool = True


@keyed(by_staff, at_once=True)
async def set_credit_policy(
    info: Info, given: Annotated[SetCreditPolicyInput, Given]
) -> CreditPolicySet:
    """Set the policy of a currency."""
    staff = info.context.staff()
    first, step, most = _limits(given)
    place_ids = given.place_ids or []
    if len(place_ids) > PLACES_MAX:
        raise InvalidInputError("placeIds", f"at most {PLACES_MAX}")
    keys = [decode_keys(one, kind="Place", count=2, field="placeIds") for one in place_ids]
    policy = await credit_terms.set_policy(
        info.context.parking,
        staff.operator_id,
        NewPolicy(
            currency=first.currency,
            is_open=given.is_open,
            requirement=given.requirement,
            first_minor=first.amount_minor,
            step_bills=given.step_bills,
            step_minor=step.amount_minor,
            most_minor=most.amount_minor,
            history_bills=given.history_bills,
            arrears_days=given.arrears_days,
            place_ids=[key[1] for key in keys],
        ),
        by=staff.recorded_name,
    )
    return CreditPolicySet(policy=StaffCreditPolicy.of(policy))


@keyed(by_staff, at_once=True)
async def freeze_credit(info: Info, given: Annotated[FreezeCreditInput, Given]) -> CreditFrozen:
    """Freeze or thaw the credit of whoever has a bill."""
    staff = info.context.staff()
    operator_id, bill_id = decode_keys(given.bill_id, kind=BILL_KIND, count=2, field="billId")
    if operator_id != staff.operator_id:
        raise BillUnknownError("billId: expected one of yours")
    has_changed = await credit_terms.freeze(
        info.context.parking, operator_id, bill_id, is_frozen=given.is_frozen
    )
    return CreditFrozen(is_frozen=given.is_frozen, has_changed=has_changed)


@strawberry.type
class CreditQueries:
    """The reads about credit."""

    @strawberry.field(description="How drivers may pay after departure, by currency.")
    async def credit_policies(self, info: Info) -> list[StaffCreditPolicy]:
        """Return the operator's policies."""
        operator_id = info.context.staff().operator_id
        policies = await credit_terms.list_policies(info.context.parking, operator_id)
        return [StaffCreditPolicy.of(policy) for policy in policies]


@strawberry.type
class CreditMutations:
    """The writes about credit."""

    set_credit_policy = strawberry.mutation(
        set_credit_policy,
        graphql_type=outcome_of(CreditPolicySet, "SetCreditPolicyResult"),
        description="Set how drivers may pay after departure in a currency. Your name is kept.",
    )
    freeze_credit = strawberry.mutation(
        freeze_credit,
        graphql_type=outcome_of(CreditFrozen, "FreezeCreditResult"),
        description="Give the driver of a bill no more credit, or some again.",
    )


def _money(amount_minor: int, policy: CreditPolicy) -> Money:
    return Money(amount_minor=amount_minor, currency=policy.currency)


def _limits(given: SetCreditPolicyInput) -> tuple[money.Money, money.Money, money.Money]:
    """Return the first limit, the step and the highest limit, in one currency."""
    first = required_money(given.first_limit, field="firstLimit")
    most = required_money(given.limit_max, field="limitMax")
    step = checked_money(given.limit_step, field="limitStep") or money.Money.zero(first.currency)
    for field, amount in (("limitStep", step), ("limitMax", most)):
        if amount.currency != first.currency:
            raise InvalidInputError(f"{field}.currency", "the currency of firstLimit")
    return first, step, most
