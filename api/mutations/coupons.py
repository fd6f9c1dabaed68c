"""Claiming coupons, and what a driver wants of one."""

from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import decode_keys
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.coupon import COUPON_KIND, CouponNode
from parking.flows.coupons import choosing, granting
from parking.tariffs.coupon_terms import CouponWish


@strawberry.type(description="The coupon is yours.")
class CouponClaimed:
    """The coupon is the driver's."""

    coupon: CouponNode


@strawberry.type(description="The choice counts for the running stay.")
class CouponChosen:
    """The choice counts."""

    coupon: CouponNode


@strawberry.input
class ClaimCouponInput:
    """Which code to claim."""

    code: str = strawberry.field(
        description="As printed; case and marks between letters do not count."
    )


@strawberry.input
class ChooseCouponInput:
    """What is wanted of a coupon."""

    coupon_id: strawberry.ID
    choice: CouponWish


# Not at once: a wrong code is counted in a transaction of its own, which the refusal must not undo.
@keyed(by_driver, repeats=True)
async def claim_coupon(info: Info, given: Annotated[ClaimCouponInput, Given]) -> CouponClaimed:
    """Claim the coupon of a code."""
    driver_id = await info.context.driver_id()
    operator_id, key = await granting.claim_coupon(info.context.parking, driver_id, given.code)
    view = await choosing.find_coupon(info.context.parking, driver_id, operator_id, key)
    return CouponClaimed(coupon=CouponNode.of(view))


@keyed(by_driver, at_once=True)
async def choose_coupon(info: Info, given: Annotated[ChooseCouponInput, Given]) -> CouponChosen:
    """Pin a coupon, hold it back, or leave it to the price."""
    driver_id = await info.context.driver_id()
    operator_id, key = decode_keys(given.coupon_id, kind=COUPON_KIND, count=2, field="couponId")
    view = await choosing.choose_coupon(
        info.context.parking, driver_id, operator_id, key, given.choice.value
    )
    return CouponChosen(coupon=CouponNode.of(view))


@strawberry.type
class CouponMutations:
    """The mutations of this module."""

    claim_coupon = strawberry.mutation(
        claim_coupon,
        graphql_type=outcome_of(CouponClaimed, "ClaimCouponResult"),
        description="Claim the coupon of a code; it counts for your running stay within seconds. "
        "Repeating it answers with the same coupon. Refusals: `COUPON_CODE_UNKNOWN`, "
        "`COUPON_TRIES_EXCEEDED`, `COUPON_EXHAUSTED`, `COUPON_LIMIT_REACHED`.",
    )
    choose_coupon = strawberry.mutation(
        choose_coupon,
        graphql_type=outcome_of(CouponChosen, "ChooseCouponResult"),
        description="Let a coupon count for the running stay that holds it wherever it may "
        "(PINNED), not at all (HELD), or where it helps most (AUTO). Repeating it changes nothing. "
        "Refusals: `COUPON_UNKNOWN`, `COUPON_NOT_USABLE`, `PAYMENT_IN_PROGRESS`.",
    )
