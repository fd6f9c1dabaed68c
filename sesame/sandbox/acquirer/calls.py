"""The bodies of part 3 of docs/acquirer-wire.md."""

from typing import Annotated

from pydantic import Field

from sesame.sandbox.signed_wire.calls import (
    AmountMinor,
    Call,
    Number,
    PayerUrl,
    Reference,
    ShownText,
)

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class ChargeCall(Call):
    """`POST /v1/charges`."""

    number: Number
    agreement: Reference
    amount_minor: AmountMinor
    currency: Currency
    description: ShownText


class CheckoutCall(Call):
    """`POST /v1/checkouts`."""

    number: Number
    amount_minor: AmountMinor
    currency: Currency
    description: ShownText
    return_url: PayerUrl


class RefundCall(Call):
    """`POST /v1/refunds`."""

    number: Number
    charge: Number
    amount_minor: AmountMinor
    currency: Currency
    reason: ShownText
