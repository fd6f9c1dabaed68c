"""The bodies of part 3 of docs/etc-wire.md."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from parking.kit.outbound import is_secure_url


def _payer_url(value: str) -> str:
    if is_secure_url(value):
        return value
    raise ValueError("expected an https URL, or http on loopback")


Number = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
Name = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
Plate = Annotated[str, Field(min_length=4, max_length=16)]
AmountMinor = Annotated[int, Field(gt=0, lt=2**53)]
ShownText = Annotated[str, Field(min_length=1, max_length=120)]
PayerUrl = Annotated[str, Field(max_length=2000), AfterValidator(_payer_url)]


class Call(BaseModel):
    """What the merchant asks for."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class EmptyCall(Call):
    """A call whose path says everything."""


class ContractCall(Call):
    """`POST /v1/contracts`."""

    number: Number
    plate: Plate
    description: ShownText
    return_url: PayerUrl


class DeductionCall(Call):
    """`POST /v1/deductions`."""

    number: Number
    contract: Annotated[str, Field(min_length=1, max_length=200)]
    obu: Name
    plate: Plate
    antenna: Name
    amount_minor: AmountMinor
    currency: Literal["CNY"]
    description: ShownText
    entered_at: AwareDatetime
    left_at: AwareDatetime


class CorrectionCall(Call):
    """`POST /v1/corrections`."""

    number: Number
    deduction: Number
    amount_minor: AmountMinor
    currency: Literal["CNY"]
    reason: ShownText
