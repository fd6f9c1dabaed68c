"""A day's bill: a zip with GBK text, read whole or not at all."""

import asyncio
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from parking.kit.clock import Clock
from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    ProviderUnavailableError,
    SettlementKind,
    SettlementNotReadyError,
    SettlementRow,
)
from parking.payments.providers.alipay.answers import Bill, read
from parking.payments.providers.alipay.codes import BILL_MISSING, doubt
from parking.payments.providers.alipay.transport import SUCCESS, Failure, GatewayClient
from parking.payments.providers.alipay.wire_values import CURRENCY, TIMEZONE, fen, instant

FILES_MAX = 8
UNPACKED_BYTES_MAX = 256 * 1024 * 1024
# CSV of numbers shrinks about tenfold; a bomb, a thousandfold.
COMPRESSION_MAX = 100
ROWS_MAX = 1_000_000
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
CHUNK_BYTES = 1 << 20
# Documented: bills of a day are there by the next morning. A day without any has no bill either,
# and the gateway says the same of both: after this long it means the latter.
GIVEN_UP_AFTER = timedelta(hours=48)

TRADE_NO = "支付宝交易号"
ORDER_NO = "商户订单号"
KIND = "业务类型"
FINISHED_AT = "完成时间"
AMOUNT = "订单金额（元）"  # noqa: RUF001 - as the bill writes it
REQUEST_NO = "退款批次号/请求号"
FEE = "服务费（元）"  # noqa: RUF001
COLUMNS = frozenset({TRADE_NO, ORDER_NO, KIND, FINISHED_AT, AMOUNT, REQUEST_NO, FEE})
END_MARK = "业务明细列表结束"
KINDS = {"交易": SettlementKind.CHARGE, "退款": SettlementKind.REFUND}

_COUNTS = {
    SettlementKind.CHARGE: re.compile(r"#交易合计：([0-9]+)笔", re.ASCII),  # noqa: RUF001
    SettlementKind.REFUND: re.compile(r"#退款合计：([0-9]+)笔", re.ASCII),  # noqa: RUF001
}
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class MalformedBillError(Exception):
    """The file is not a bill of this form, or not a whole one."""


async def fetch_settlement(
    client: GatewayClient, clock: Clock, day: date
) -> tuple[SettlementRow, ...]:
    """Return the movements of a day in Shanghai.

    Raises:
        SettlementNotReadyError: the day's bill is not made yet.
        ProviderUnavailableError: no trustworthy answer came.
    """
    ends_at = datetime.combine(day, time(), ZoneInfo(TIMEZONE)) + timedelta(days=1)
    now = clock.now()
    content = {"bill_type": "trade", "bill_date": day.isoformat()}
    answer = await client.call("alipay.data.dataservice.bill.downloadurl.query", content)
    if isinstance(answer, Failure):
        raise ProviderUnavailableError(answer.code)
    if answer.code != SUCCESS and now < ends_at:
        raise SettlementNotReadyError("the day is not over in Shanghai")
    if answer.sub_code in BILL_MISSING:
        if now < ends_at + GIVEN_UP_AFTER:
            raise SettlementNotReadyError("Alipay has no bill of the day yet")
        return ()
    bill = read(Bill, answer.node) if answer.code == SUCCESS else None
    if bill is None:
        raise ProviderUnavailableError(doubt(answer.code, answer.sub_code))
    packed = await client.fetch_bill(bill.bill_download_url)
    if isinstance(packed, Failure):
        raise ProviderUnavailableError(packed.code)
    try:
        # A large bill takes seconds, in which this process does other things.
        return await asyncio.to_thread(read_bill, packed)
    except MalformedBillError as error:
        _log.warning("alipay_bill_malformed", day=day.isoformat(), reason=str(error))
        raise ProviderUnavailableError(ANSWER_MISMATCH) from error


def read_bill(packed: bytes) -> tuple[SettlementRow, ...]:
    """Return the rows of a zipped bill.

    Raises:
        MalformedBillError: see there.
    """
    try:
        texts = [content.decode("gb18030") for content in _unpacked(packed)]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise MalformedBillError("zip") from error
    except UnicodeDecodeError as error:
        raise MalformedBillError("encoding") from error
    details = [text for text in texts if END_MARK in text]
    if len(details) != 1:
        raise MalformedBillError("expected one list of movements, with its end")
    return _rows(details[0])


def _unpacked(packed: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        # What the archive says of itself may be a lie: it is also counted while it is read.
        size = sum(entry.file_size for entry in entries)
        if len(entries) > FILES_MAX or size > min(
            UNPACKED_BYTES_MAX, CHUNK_BYTES + COMPRESSION_MAX * len(packed)
        ):
            raise MalformedBillError("too large")
        if any(entry.compress_type not in METHODS for entry in entries):
            raise MalformedBillError("packed in another way")
        for entry in entries:
            content = bytearray()
            with archive.open(entry) as file:
                while chunk := file.read(CHUNK_BYTES):
                    content += chunk
                    if len(content) > entry.file_size:
                        raise MalformedBillError("larger than it says")
            yield bytes(content)


def _rows(text: str) -> tuple[SettlementRow, ...]:
    lines = text.splitlines()
    end = next(index for index, line in enumerate(lines) if END_MARK in line)
    table = [line for line in lines[:end] if line.strip() and not line.startswith("#")]
    if not table or len(table) > ROWS_MAX:
        raise MalformedBillError("rows")
    reader = csv.reader(table, strict=True)
    try:
        names = [name.strip() for name in next(reader)]
        if len(set(names)) != len(names) or not set(names) >= COLUMNS:
            raise MalformedBillError("columns")
        rows = tuple(_row(dict(zip(names, values, strict=True))) for values in reader)
    except (csv.Error, ValueError) as error:
        raise MalformedBillError("row") from error
    _require_counts(rows, lines[end:])
    return rows


def _row(values: dict[str, str]) -> SettlementRow:
    cells = {name: value.strip() for name, value in values.items()}
    kind = KINDS.get(cells[KIND])
    if kind is None:
        raise MalformedBillError(f"kind {cells[KIND]}")
    minor = fen(cells[AMOUNT])
    is_refund = kind is SettlementKind.REFUND
    if minor == 0 or (minor < 0) != is_refund:
        raise MalformedBillError("sign of an amount")
    return SettlementRow(
        kind=kind,
        number=cells[REQUEST_NO] if is_refund else cells[ORDER_NO],
        reference=cells[TRADE_NO],
        amount=Money(abs(minor), CURRENCY),
        # It stands in the bill as what we lose.
        fee_minor=-fen(cells[FEE]) if cells[FEE] else 0,
        occurred_at=instant(cells[FINISHED_AT]),
    )


def _require_counts(rows: tuple[SettlementRow, ...], footer: list[str]) -> None:
    for kind, pattern in _COUNTS.items():
        said = [found[1] for line in footer if (found := pattern.search(line))]
        if said and int(said[0]) != sum(row.kind is kind for row in rows):
            raise MalformedBillError("fewer rows than its own sum says")
