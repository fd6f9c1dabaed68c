"""The acquirer's JSON that no other wire has (docs/acquirer-wire.md, parts 4 and 7)."""

from datetime import UTC
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from parking.kit.money import Money
from parking.payments.port import ChargebackState, SettlementKind, SettlementRow
from parking.payments.signed_wire import (
    AmountMinor,
    Answer,
    Currency,
    OrderAnswer,
    PageUrl,
    Subject,
    Text,
)

SETTLEMENT_PAGE_MAX = 200
FeeMinor = Annotated[int, Field(gt=-(2**53), lt=2**53)]
Count = Annotated[int, Field(ge=0, le=10**6)]
Cursor = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,64}$")]


class CheckoutAnswer(OrderAnswer):
    """A checkout with its payment page."""

    url: PageUrl
    expires_at: AwareDatetime


class ChargebackAnswer(Subject):
    """Money that the payer's bank took back."""

    reference: Text
    charge: Text
    status: Literal["opened", "won", "lost"]
    reason: Text
    amount_minor: AmountMinor
    currency: Currency

    def result(self) -> ChargebackState:
        """Return it in the port's words."""
        return ChargebackState(
            charge_number=self.charge,
            reference=self.reference,
            amount=Money(self.amount_minor, self.currency),
            reason=self.reason,
        )


class SettlementRowAnswer(Answer):
    """One movement of a closed day."""

    kind: Literal["charge", "refund", "chargeback", "chargeback_reversed"]
    number: Annotated[str, Field(max_length=200)]
    reference: Annotated[str, Field(max_length=200)]
    amount_minor: AmountMinor
    currency: Currency
    fee_minor: FeeMinor
    occurred_at: AwareDatetime

    def row(self) -> SettlementRow:
        """Return it in the port's words."""
        return SettlementRow(
            kind=SettlementKind(self.kind),
            number=self.number,
            reference=self.reference,
            amount=Money(self.amount_minor, self.currency),
            fee_minor=self.fee_minor,
            occurred_at=self.occurred_at.astimezone(UTC),
        )


class SettlementAnswer(Answer):
    """A page of a closed day."""

    day: Annotated[str, Field(alias="date")]
    count: Count
    rows: Annotated[list[SettlementRowAnswer], Field(max_length=SETTLEMENT_PAGE_MAX)]
    next: Cursor | None = None
