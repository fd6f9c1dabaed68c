"""The bodies of part 3 of docs/acquirer-wire.md."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from parking.kit.outbound import is_secure_url


def _payer_url(value: str) -> str:
    if is_secure_url(value):
        return value
    raise ValueError("expected an https URL, or http on loopback")


Number = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
AmountMinor = Annotated[int, Field(gt=0, lt=2**53)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
ShownText = Annotated[str, Field(min_length=1, max_length=120)]
PayerUrl = Annotated[str, Field(max_length=2000), AfterValidator(_payer_url)]


class Call(BaseModel):
    """What the merchant asks for."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class EmptyCall(Call):
    """A call whose path says everything."""


class AgreementCall(Call):
    """`POST /v1/agreements`."""

    number: Number
    description: ShownText
    return_url: PayerUrl


class ChargeCall(Call):
    """`POST /v1/charges`."""

    number: Number
    agreement: Annotated[str, Field(min_length=1, max_length=200)]
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
