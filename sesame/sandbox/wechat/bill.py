"""A day's trade bill of type ALL: its rows, then its totals, every value after a backtick."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from sesame.sandbox.platform import SettlementLine
from sesame.sandbox.wechat.objects import ZONE

FEE_BASIS_POINTS = 60
_TRADES = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
_TOTALS = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
_RATE = "0.60%"


def day_ms(day: date) -> tuple[int, int]:
    """Return when a day begins and ends in Beijing, in milliseconds."""
    start = datetime.combine(day, time(), tzinfo=ZONE)
    end = datetime.combine(day + timedelta(days=1), time(), tzinfo=ZONE)
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)


def bill_text(lines: Sequence[SettlementLine], *, merchant: str, sub_merchant: str | None) -> str:
    """Return the file."""
    charges = [line for line in lines if line.kind == "charge"]
    refunds = [line for line in lines if line.kind == "refund"]
    ordered = [line for line in lines if line.kind in {"charge", "refund"}]
    rows = [_row(line, merchant, sub_merchant or "0") for line in ordered]
    taken = _yuan(sum(line.amount_minor for line in charges))
    given = _yuan(sum(line.amount_minor for line in refunds))
    fees = _fee(sum(line.fee_minor for line in charges))
    totals = (str(len(ordered)), taken, given, "0.00", fees, taken, given)
    return "\r\n".join([_TRADES, *rows, _TOTALS, _values(totals), ""])


def _row(line: SettlementLine, merchant: str, sub_merchant: str) -> str:
    is_refund = line.kind == "refund"
    at = datetime.fromtimestamp(line.occurred_ms // 1000, UTC).astimezone(ZONE)
    order = (line.extra.get("charge_reference", ""), line.parent or "")
    amount = _yuan(line.amount_minor)
    return _values(
        (
            at.strftime("%Y-%m-%d %H:%M:%S"),
            line.extra.get("appid", ""),
            merchant,
            sub_merchant,
            "",
            *(order if is_refund else (line.reference, line.number)),
            line.extra.get("openid", "payer"),
            line.extra.get("trade_type", "AUTH"),
            "REFUND" if is_refund else "SUCCESS",
            "BPA" if "advance" in line.extra else "OTHERS",
            line.currency,
            "0.00" if is_refund else amount,
            "0.00",
            *((line.reference, line.number, amount) if is_refund else ("0", "0", "0.00")),
            "0.00",
            *(("ORIGINAL", "SUCCESS") if is_refund else ("", "")),
            "Parking, one stay",
            "",
            _fee(line.fee_minor),
            _RATE,
            "0.00" if is_refund else amount,
            amount if is_refund else "0.00",
            "",
        )
    )


def _values(values: Iterable[str]) -> str:
    return ",".join(f"`{value}" for value in values)


def _yuan(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _fee(minor: int) -> str:
    return f"{_yuan(minor)}000"
