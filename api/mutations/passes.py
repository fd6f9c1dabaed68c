"""Buying passes, and changing one."""

from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import decode_id, decode_keys
from api.idempotency import Key, by_driver, keyed
from api.request import Info
from api.types.money import Money, MoneyInput, checked_money
from api.types.passes import PRODUCT_ID, RIGHT_ID, Pass
from parking.flows.passes import pass_changes, pass_purchase, pass_view
from parking.passes.errors import PassUnknownError


@strawberry.type(
    description="The pass, with what became of its payment: ACTIVE, FAILED, or PENDING where the "
    "provider has not answered yet."
)
class PassPurchased:
    """The pass, whatever became of its payment."""

    bought: Pass = strawberry.field(name="pass")


@strawberry.type(description="The pass as it stands now.")
class PassChanged:
    """The pass as it stands now."""

    changed: Pass = strawberry.field(name="pass")


@strawberry.type(description="The pass ends: with its period, or at once.")
class PassCancelled:
    """The pass ends."""

    cancelled: Pass = strawberry.field(name="pass")
    refund: Money = strawberry.field(description="What goes back; zero for nothing.")


@strawberry.input
class PurchasePassInput:
    """What to buy."""

    product_id: strawberry.ID
    plate_ids: list[strawberry.ID] = strawberry.field(description="Your bound plates.")
    starts_on: date | None = strawberry.field(
        default=None, description="Local to the product, up to 62 days ahead; null for now."
    )
    renews: bool | None = strawberry.field(
        default=None, description="Null for the product's default."
    )
    price: MoneyInput | None = strawberry.field(
        default=None,
        description="What the app showed, from `firstPrice`: another price refuses with "
        "`PASS_PRICE_CHANGED`, and nothing is charged.",
    )


@strawberry.input
class CancelPassInput:
    """What to cancel."""

    pass_id: strawberry.ID
    immediately: bool = strawberry.field(
        default=False,
        description="True ends it now and pays the unused days back; false with its period.",
    )


@strawberry.input
class SetPassRenewalInput:
    """Whether to renew."""

    pass_id: strawberry.ID
    renews: bool


@strawberry.input
class TransferPassInput:
    """Which plate to put on a pass."""

    pass_id: strawberry.ID
    plate_id: strawberry.ID = strawberry.field(description="Your bound plate to add.")
    replaces_plate_id: strawberry.ID | None = strawberry.field(
        default=None, description="Your bound plate to take off; null where there is room."
    )


@keyed(by_driver)
async def purchase_pass(
    info: Info, given: Annotated[PurchasePassInput, Given], *, idempotency_key: Key
) -> PassPurchased:
    """Buy a pass."""
    driver_id = await info.context.driver_id()
    operator_id, product_id = decode_keys(
        given.product_id, kind=PRODUCT_ID, count=2, field="productId"
    )
    order = pass_purchase.PassOrder(
        operator_id=operator_id,
        product_id=product_id,
        binding_ids=[decode_id(one, kind="Plate", field="plateIds") for one in given.plate_ids],
        request_key=idempotency_key,
        first_day=given.starts_on,
        renews=given.renews,
        price=checked_money(given.price, field="price"),
    )
    right_id = await pass_purchase.purchase(info.context.parking, driver_id, order)
    return PassPurchased(bought=await _read(info, right_id))


@keyed(by_driver)
async def cancel_pass(info: Info, given: Annotated[CancelPassInput, Given]) -> PassCancelled:
    """End a pass."""
    driver_id = await info.context.driver_id()
    right_id = decode_id(given.pass_id, kind=RIGHT_ID, field="passId")
    done = await pass_changes.cancel(
        info.context.parking, driver_id, right_id, immediately=given.immediately
    )
    shown = await _read(info, right_id)
    currency = shown.refundable.currency
    refund = Money(amount_minor=done.refund_minor, currency=currency)
    return PassCancelled(cancelled=shown, refund=refund)


@keyed(by_driver, at_once=True)
async def set_pass_renewal(info: Info, given: Annotated[SetPassRenewalInput, Given]) -> PassChanged:
    """Let a pass renew or run out."""
    driver_id = await info.context.driver_id()
    right_id = decode_id(given.pass_id, kind=RIGHT_ID, field="passId")
    await pass_changes.set_renewal(info.context.parking, driver_id, right_id, renews=given.renews)
    return PassChanged(changed=await _read(info, right_id))


@keyed(by_driver, at_once=True)
async def transfer_pass(info: Info, given: Annotated[TransferPassInput, Given]) -> PassChanged:
    """Put another plate on a pass."""
    driver_id = await info.context.driver_id()
    right_id = decode_id(given.pass_id, kind=RIGHT_ID, field="passId")
    replaces = given.replaces_plate_id
    await pass_changes.transfer(
        info.context.parking,
        driver_id,
        right_id,
        binding_id=decode_id(given.plate_id, kind="Plate", field="plateId"),
        replaces=None
        if replaces is None
        else decode_id(replaces, kind="Plate", field="replacesPlateId"),
    )
    return PassChanged(changed=await _read(info, right_id))


@strawberry.type
class PassMutations:
    """The mutations of this module."""

    purchase_pass = strawberry.mutation(
        purchase_pass,
        graphql_type=outcome_of(PassPurchased, "PurchasePassResult"),
        description="Buy a pass for your bound plates, charged at once by your password-free "
        "authorization. Repeating it with the same `idempotencyKey` charges once and answers with "
        "the same pass. Refusals: `PASS_SOLD_OUT`, `PASS_NOT_ON_SALE`, `PASS_PRICE_CHANGED`, "
        "`PASS_MANDATE_MISSING`, `PASS_PLATE_UNKNOWN`, `PASS_PRODUCT_UNKNOWN`, "
        "`PASS_REQUEST_REUSED`.",
    )
    cancel_pass = strawberry.mutation(
        cancel_pass,
        graphql_type=outcome_of(PassCancelled, "CancelPassResult"),
        description="End a pass with its period, or at once with its unused days paid back. "
        "Repeating it changes nothing.",
    )
    set_pass_renewal = strawberry.mutation(
        set_pass_renewal,
        graphql_type=outcome_of(PassChanged, "SetPassRenewalResult"),
        description="Let a pass renew, or run out with its period. Repeating it changes nothing.",
    )
    transfer_pass = strawberry.mutation(
        transfer_pass,
        graphql_type=outcome_of(PassChanged, "TransferPassResult"),
        description="Put another of your bound plates on a pass, effective at the next gate; a car "
        "inside keeps its stay. At most three plates may be added in a calendar month. Repeating "
        "it changes nothing.",
    )


async def _read(info: Info, right_id: UUID) -> Pass:
    view = await pass_view.find_of_driver(
        info.context.parking, await info.context.driver_id(), right_id
    )
    if view is None:
        raise PassUnknownError("passId: expected one of yours")
    return Pass.of(view)
