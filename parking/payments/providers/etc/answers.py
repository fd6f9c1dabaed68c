"""The ETC acquirer's words for what a signed wire says (docs/etc-wire.md, part 4)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from parking.payments.port import AGREEMENT_INACTIVE, AgreementState
from parking.payments.signed_wire import (
    AgreementAnswer,
    AgreementStartedAnswer,
    MoneyAnswer,
    OrderAnswer,
    RefundAnswer,
    Text,
)

CURRENCY = "CNY"
Yuan = Annotated[str, Field(pattern=f"^{CURRENCY}$")]


class ContractAnswer(AgreementAnswer):
    """A contract for one unit in one car."""

    plate: Text
    obu: Text | None = None

    def is_for(self, plate: str | None) -> bool:
        """Whether it may be charged for this car."""
        return plate in {None, self.plate}

    def result(self) -> AgreementState:
        """Return it in the port's words; the unit is the instrument."""
        return replace(super().result(), instrument=self.obu)


class ContractStartedAnswer(ContractAnswer, AgreementStartedAnswer):
    """A contract with the page on which the payer confirms it."""


class _EtcMoneyAnswer(MoneyAnswer):
    failures: ClassVar[Mapping[str, str]] = {
        "contract_inactive": AGREEMENT_INACTIVE,
        "exceeds_deduction": "exceeds_charge",
    }

    reference: Annotated[Text | None, Field(alias="trade_number")] = None
    currency: Yuan | None = None


class DeductionAnswer(_EtcMoneyAnswer, OrderAnswer):
    """Money from the card in a unit."""


class CorrectionAnswer(_EtcMoneyAnswer, RefundAnswer):
    """Money back to the card."""

    charge: Annotated[Text, Field(alias="deduction")]
