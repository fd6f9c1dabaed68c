"""The bodies of part 3 of docs/etc-wire.md."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from sesame.sandbox.signed_wire.calls import (
    AgreementCall,
    AmountMinor,
    Call,
    Number,
    Reference,
    ShownText,
)

Name = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
Plate = Annotated[str, Field(min_length=4, max_length=16)]


class ContractCall(AgreementCall):
    """`POST /v1/contracts`."""

    plate: Plate


class DeductionCall(Call):
    """`POST /v1/deductions`."""

    number: Number
    contract: Reference
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
