"""A day's trade bill: a table of trades, then one of totals, every value after a backtick."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from parking.kit.money import Money
from parking.payments.port import SettlementKind, SettlementRow
from parking.payments.providers.wechat.answers import CURRENCY, BillAnswer

TIMEZONE = "Asia/Shanghai"
ROWS_MAX = 1_000_000
_ZONE = ZoneInfo(TIMEZONE)
_MINOR = Decimal(100)
_CENT = Decimal(1)

_AT, _STATE = "交易时间", "交易状态"
_ORDER, _OUR_ORDER, _ORDER_AMOUNT = "微信订单号", "商户订单号", "订单金额"
_REFUND, _OUR_REFUND, _REFUND_AMOUNT = "微信退款单号", "商户退款单号", "申请退款金额"
_FEE, _CURRENCY = "手续费", "货币种类"
_COLUMNS = {
    *(_AT, _STATE, _FEE, _CURRENCY),
    *(_ORDER, _OUR_ORDER, _ORDER_AMOUNT),
    *(_REFUND, _OUR_REFUND, _REFUND_AMOUNT),
}
_COUNT = "总交易单数"
_ORDER_TOTAL, _REFUND_TOTAL = "订单总金额", "申请退款总金额"
_KINDS = {
    "SUCCESS": SettlementKind.CHARGE,
    "REFUND": SettlementKind.REFUND,
    "REVOKED": SettlementKind.REFUND,
}


class BillRefusedError(Exception):
    """The file is not the bill that was promised, or not whole."""


@dataclass(frozen=True, slots=True)
class _Table:
    names: Sequence[str]
    rows: Sequence[Sequence[str]]

    def records(self) -> Iterator[dict[str, str]]:
        for row in self.rows:
            if len(row) != len(self.names):
                raise BillRefusedError("a row is not as long as its heading")
            yield dict(zip(self.names, row, strict=True))


def check_hash(bill: BillAnswer, content: bytes) -> None:
    """Return if the file is the one whose hash WeChat Pay signed.

    Raises:
        BillRefusedError: it is another.
    """
    # SHA-1 is what WeChat Pay offers here.
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if digest != bill.hash_value.lower():
        raise BillRefusedError("the file's hash differs")


def parse_bill(content: bytes) -> tuple[SettlementRow, ...]:
    """Return the rows of a bill of type ALL, after its totals were compared with them.

    Raises:
        BillRefusedError: it is not such a bill, or not whole.
    """
    try:
        trades, totals = _tables(content.decode("utf-8-sig"))
        if not set(trades.names) >= _COLUMNS:
            raise BillRefusedError("a column is missing")
        rows = tuple(_row(record) for record in trades.records())
        _compare(rows, next(totals.records()))
    except (ValueError, KeyError, InvalidOperation, StopIteration) as error:
        raise BillRefusedError("not a trade bill") from error
    return rows


def _tables(text: str) -> tuple[_Table, _Table]:
    lines = [line for line in text.splitlines() if line]
    if len(lines) > ROWS_MAX:
        raise BillRefusedError("too many rows")
    middle = next(i for i, line in enumerate(lines) if line.startswith(_COUNT))
    return _table(lines[:middle]), _table(lines[middle:])


def _table(lines: Sequence[str]) -> _Table:
    # A name may contain a comma, so values are told apart by comma and backtick together.
    rows = [line.removeprefix("`").split(",`") for line in lines[1:]]
    return _Table(lines[0].split(","), rows)


def _row(record: dict[str, str]) -> SettlementRow:
    kind = _KINDS[record[_STATE]]
    is_charge = kind is SettlementKind.CHARGE
    amount = record[_ORDER_AMOUNT if is_charge else _REFUND_AMOUNT]
    local = datetime.strptime(record[_AT], "%Y-%m-%d %H:%M:%S").replace(tzinfo=_ZONE)
    if record[_CURRENCY] != CURRENCY:
        raise BillRefusedError("another currency")
    return SettlementRow(
        kind=kind,
        number=record[_OUR_ORDER if is_charge else _OUR_REFUND],
        reference=record[_ORDER if is_charge else _REFUND],
        amount=Money(_minor(amount), CURRENCY),
        fee_minor=_minor(record[_FEE]),
        occurred_at=local.astimezone(UTC),
    )


def _minor(yuan: str) -> int:
    """Return fen; fees have five decimals, and are booked to the fen."""
    return int((Decimal(yuan) * _MINOR).quantize(_CENT, ROUND_HALF_UP))


def _compare(rows: Sequence[SettlementRow], totals: dict[str, str]) -> None:
    sums = dict.fromkeys(SettlementKind, 0)
    for row in rows:
        sums[row.kind] += row.amount.amount_minor
    counted = (len(rows), sums[SettlementKind.CHARGE], sums[SettlementKind.REFUND])
    said = (int(totals[_COUNT]), _minor(totals[_ORDER_TOTAL]), _minor(totals[_REFUND_TOTAL]))
    if counted != said:
        raise BillRefusedError("the totals differ from the rows")
