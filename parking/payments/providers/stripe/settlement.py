"""A day of balance transactions, as rows of a settlement."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from pydantic import Field
from stripe.params import BalanceTransactionListParams

from parking.kit.clock import Clock
from parking.kit.money import Money
from parking.payments.port import (
    ProviderUnavailableError,
    SettlementKind,
    SettlementNotReadyError,
    SettlementRow,
)
from parking.payments.providers.stripe.amounts import from_stripe
from parking.payments.providers.stripe.answers import (
    NUMBER,
    Answer,
    Currency,
    Intent,
    Seconds,
    Text,
)
from parking.payments.providers.stripe.lookup import PAGE_ITEMS
from parking.payments.providers.stripe.transport import Caller, Failure

# 100,000 movements a day.
SETTLEMENT_PAGES_MAX = 1000
# What was created in the day's last second may still be on its way into the list.
CLOSED_AFTER = timedelta(minutes=5)
_PAGE_TIMEOUT_S = 30.0
_KINDS: Final = {
    "charge": SettlementKind.CHARGE,
    "refund": SettlementKind.REFUND,
    "refund_failure": SettlementKind.REFUND_RETURNED,
    "dispute": SettlementKind.CHARGEBACK,
    "dispute_reversal": SettlementKind.CHARGEBACK_REVERSED,
}


class _Movement(Answer):
    id: Text
    object: Text
    amount: int = Field(gt=-(2**53), lt=2**53)
    currency: Currency
    fee: int = Field(ge=-(2**53), lt=2**53)
    created: Seconds
    reporting_category: Text
    source: dict[str, Any] | Text | None = None


class _Page(Answer):
    data: list[_Movement]
    has_more: bool


class Settlements:
    """Stripe's books, day by day in UTC."""

    def __init__(self, caller: Caller, clock: Clock) -> None:
        self._caller = caller
        self._api = caller.stripe.v1
        self._clock = clock

    async def fetch(self, day: date) -> tuple[SettlementRow, ...]:
        """Return a day's movements; see `PaymentProvider.fetch_settlement`."""
        start = datetime.combine(day, time(), UTC)
        end = start + timedelta(days=1)
        if self._clock.now() < end + CLOSED_AFTER:
            raise SettlementNotReadyError(f"settlement: {day} is closed at {end:%H:%M} UTC")
        rows: list[SettlementRow] = []
        numbers: dict[str, str] = {}
        after: str | None = None
        for _ in range(SETTLEMENT_PAGES_MAX):
            page = await self._page(int(start.timestamp()), int(end.timestamp()), after)
            for movement in page.data:
                kind = _KINDS.get(movement.reporting_category)
                # Payouts, Stripe's own fees and the like are not about orders.
                if kind is not None:
                    rows.append(await self._row(kind, movement, numbers))
            if not page.has_more or not page.data:
                return tuple(rows)
            after = page.data[-1].id
        raise ProviderUnavailableError("settlement: expected fewer movements")

    async def _page(self, start: int, end: int, after: str | None) -> _Page:
        params: BalanceTransactionListParams = {
            "created": {"gte": start, "lt": end},
            "limit": PAGE_ITEMS,
            "expand": ["data.source"],
        }
        if after is not None:
            params["starting_after"] = after
        work = self._api.balance_transactions.list_async(params)
        page = await self._caller.call(_Page, work, deadline_s=_PAGE_TIMEOUT_S)
        if isinstance(page, Failure):
            raise ProviderUnavailableError(page.code)
        return page

    async def _row(
        self, kind: SettlementKind, movement: _Movement, numbers: dict[str, str]
    ) -> SettlementRow:
        source = movement.source if isinstance(movement.source, dict) else {}
        metadata: dict[str, Any] = source.get("metadata") or {}
        number = str(metadata.get(NUMBER, ""))
        if kind in {SettlementKind.CHARGEBACK, SettlementKind.CHARGEBACK_REVERSED}:
            number = await self._number_of(str(source.get("payment_intent") or ""), numbers)
        amount, fee = _amounts(movement, source)
        return SettlementRow(
            kind=kind,
            number=number,
            reference=movement.id,
            amount=amount,
            fee_minor=fee,
            occurred_at=datetime.fromtimestamp(movement.created, UTC),
        )

    async def _number_of(self, payment: str, numbers: dict[str, str]) -> str:
        """Return our number of a disputed payment: disputes carry no metadata of ours."""
        if payment and payment not in numbers:
            work = self._api.payment_intents.retrieve_async(payment)
            found = await self._caller.call(Intent, work)
            if isinstance(found, Failure) and not found.says_not_found:
                raise ProviderUnavailableError(found.code)
            numbers[payment] = "" if isinstance(found, Failure) else found.number
        return numbers.get(payment, "")


def _amounts(movement: _Movement, source: dict[str, Any]) -> tuple[Money, int]:
    """Return what was moved in the payer's currency, and its fee.

    Stripe settles in the account's currency. Where that is another one than the payer's, the
    amount is the source's, and the fee cannot be said in it: it is 0.
    """
    currency = source.get("currency", movement.currency)
    if currency == movement.currency:
        amount = from_stripe(abs(movement.amount), movement.currency)
        fee = from_stripe(abs(movement.fee), movement.currency)
    else:
        amount, fee = from_stripe(int(source.get("amount", 0)), str(currency)), None
    if amount is None:
        raise ProviderUnavailableError("settlement: expected whole minor units")
    sign = -1 if movement.fee < 0 else 1
    return amount, 0 if fee is None else sign * fee.amount_minor
