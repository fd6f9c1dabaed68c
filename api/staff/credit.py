"""What staff decide about paying after departure."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import BILL_KIND, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
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
    first_minor: int
    step_bills: int
    step_minor: int
    most_minor: int
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
            first_minor=policy.first_minor,
            step_bills=policy.step_bills,
            step_minor=policy.step_minor,
            most_minor=policy.most_minor,
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

    currency: str
    is_open: bool = strawberry.field(description="False: nobody leaves on credit.")
    requirement: CreditRequirement = CreditRequirement.MANDATE
    first_minor: int = strawberry.field(description="The limit of a driver without a history.")
    step_bills: int = strawberry.field(
        default=5, description="How many bills paid in time raise the limit once."
    )
    step_minor: int = strawberry.field(default=0, description="By how much.")
    most_minor: int = strawberry.field(description="What no limit exceeds.")
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
    try:
        money.Money.zero(given.currency)
    except ValueError as error:
        raise InvalidInputError("currency", "an ISO 4217 code such as CNY") from error
    place_ids = given.place_ids or []
    if len(place_ids) > PLACES_MAX:
        raise InvalidInputError("placeIds", f"at most {PLACES_MAX}")
    keys = [decode_keys(one, kind="Place", count=2, field="placeIds") for one in place_ids]
    policy = await credit_terms.set_policy(
        info.context.parking,
        staff.operator_id,
        NewPolicy(
            currency=given.currency,
            is_open=given.is_open,
            requirement=given.requirement,
            first_minor=given.first_minor,
            step_bills=given.step_bills,
            step_minor=given.step_minor,
            most_minor=given.most_minor,
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
