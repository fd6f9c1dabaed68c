"""The daily settlement file (docs/etc-wire.md, part 7)."""

import csv
from datetime import date, datetime

import structlog

from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    ProviderUnavailableError,
    SettlementKind,
    SettlementNotReadyError,
    SettlementRow,
)
from parking.payments.signed_wire import Failure, SignedClient

DAY_OPEN = "day_open"
ROWS_MAX = 100_000
_HEADER = [
    "kind",
    "number",
    "trade_number",
    "amount_minor",
    "currency",
    "fee_minor",
    "occurred_at",
]
_KINDS = {"deduction": SettlementKind.CHARGE, "correction": SettlementKind.REFUND}
_END = "end"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class SettlementMalformedError(Exception):
    """The file is cut off, or not what the wire describes."""


async def fetch_settlement(client: SignedClient, day: date) -> tuple[SettlementRow, ...]:
    """Return every row of a day of Asia/Shanghai; see `PaymentProvider.fetch_settlement`.

    Raises:
        SettlementNotReadyError: the acquirer has not closed the day.
        ProviderUnavailableError: no file came, or not the one that the wire describes.
    """
    content = await client.file(f"/v1/settlements/{day.isoformat()}")
    if isinstance(content, Failure):
        if content.code == DAY_OPEN:
            raise SettlementNotReadyError(f"the acquirer has not closed {day} yet")
        raise ProviderUnavailableError(content.code)
    try:
        return parse_settlement(content)
    except SettlementMalformedError as error:
        _log.exception("etc_settlement_malformed", day=day.isoformat())
        raise ProviderUnavailableError(ANSWER_MISMATCH) from error


def parse_settlement(content: bytes) -> tuple[SettlementRow, ...]:
    """Return every row of a file whose signature was checked.

    Raises:
        SettlementMalformedError: any part of it is not as described.
    """
    try:
        lines = list(csv.reader(content.decode("utf-8").splitlines(), strict=True))
        header, *rows, end = lines
        if header != _HEADER or end != [_END, str(len(rows))] or len(rows) > ROWS_MAX:
            raise SettlementMalformedError("expected the header, rows, and their number")
        return tuple(_row(row) for row in rows)
    except (ValueError, KeyError, csv.Error) as error:
        raise SettlementMalformedError(repr(error)) from error


def _row(fields: list[str]) -> SettlementRow:
    kind, number, trade_number, amount_minor, currency, fee_minor, occurred_at = fields
    amount = Money(int(amount_minor), currency)
    moment = datetime.fromisoformat(occurred_at)
    if amount.amount_minor <= 0 or int(fee_minor) < 0 or moment.tzinfo is None or not trade_number:
        raise ValueError(f"{kind}: expected a positive amount, an aware time, a trade number")
    return SettlementRow(
        kind=_KINDS[kind],
        number=number,
        reference=trade_number,
        amount=amount,
        fee_minor=int(fee_minor),
        occurred_at=moment,
    )
