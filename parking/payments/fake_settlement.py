"""The fake provider's books of a day, made from what it told of."""

from collections.abc import Iterable
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from parking.payments.port import (
    ChargeResult,
    Notice,
    NoticeKind,
    OrderStatus,
    RefundResult,
    SettlementKind,
    SettlementRow,
)

_MOVEMENTS: Final = {
    NoticeKind.CHARGE_SUCCEEDED: SettlementKind.CHARGE,
    NoticeKind.REFUND_SUCCEEDED: SettlementKind.REFUND,
}


def settled_on(day: date, zone: ZoneInfo, told: Iterable[Notice]) -> tuple[SettlementRow, ...]:
    """Return what moved on a day: every movement was told of once, at its time."""
    rows = (_settled(notice) for notice in told)
    return tuple(row for row in rows if row and row.occurred_at.astimezone(zone).date() == day)


def total_of(results: Iterable[ChargeResult | RefundResult], currency: str) -> int:
    """Return the minor units of what succeeded in one currency."""
    return sum(
        result.amount.amount_minor
        for result in results
        if result.status is OrderStatus.SUCCEEDED
        and result.amount is not None
        and result.amount.currency == currency
    )


def _settled(notice: Notice) -> SettlementRow | None:
    kind, result = _MOVEMENTS.get(notice.kind), notice.result
    if kind is None or not isinstance(result, ChargeResult | RefundResult) or not result.amount:
        return None
    return SettlementRow(
        kind=kind,
        number=result.number,
        reference=result.provider_reference or "",
        amount=result.amount,
        fee_minor=0,
        occurred_at=notice.occurred_at,
    )
