"""A day's bill, as the documentation shows it: two CSV files in GBK, in a zip."""

import csv
import io
import zipfile

from sesame.sandbox.alipay.gateway import Gateway, RefusedError, text_of
from sesame.sandbox.alipay.values import clock_time, day_bounds_ms, yuan
from sesame.sandbox.platform import Json, SettlementLine, Turn, settlement_lines
from sesame.sandbox.platform.scenarios import SETTLEMENT_SCENARIOS

FEE_BASIS_POINTS = 60
RULE = "#-----------------------------------------"
HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,"
    "订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,"  # noqa: RUF001 - as the documentation writes it
    "券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,"  # noqa: RUF001
    "分润（元）,备注"  # noqa: RUF001
)
NOTHING = "0.00"


def bill_url(gateway: Gateway, asked: Json, turn: Turn, _notify_url: str) -> Json:
    """`alipay.data.dataservice.bill.downloadurl.query`; the address is relative here."""
    if text_of(asked, "bill_type") != "trade":
        raise RefusedError("isv.invalid_arguments")
    day = text_of(asked, "bill_date")
    try:
        start_ms, end_ms = day_bounds_ms(day)
    except ValueError as error:
        raise RefusedError("isv.invalid_arguments") from error
    if gateway.platform.now_ms() < end_ms and not gateway.platform.is_day_closed:
        raise RefusedError("isv.invalid_arguments")
    # The call itself has already spent one rule.
    differences = SETTLEMENT_SCENARIOS & {turn.scenario}
    lines = [
        line
        for line in settlement_lines(
            gateway.platform.store,
            start_ms,
            end_ms,
            differences=differences | gateway.platform.script.take_differences(),
            fee_basis_points=FEE_BASIS_POINTS,
        )
        if line.kind in {"charge", "refund"}
    ]
    if not lines:
        raise RefusedError("isp.bill_not_exist")
    return {"bill_download_url": gateway.keep_bill(packed(lines, gateway.seller_id, day))}


def packed(lines: list[SettlementLine], seller_id: str, day: str) -> bytes:
    """Return the zip of a day."""
    name = f"{seller_id}0156_{day.replace('-', '')}_业务明细"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", _details(lines, seller_id, day).encode("gbk"))
        archive.writestr(f"{name}(汇总).csv", _summary(lines).encode("gbk"))
    return buffer.getvalue()


def _details(lines: list[SettlementLine], seller_id: str, day: str) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\r\n")
    for line in lines:
        writer.writerow(_row(line))
    charges = [line for line in lines if line.kind == "charge"]
    refunds = [line for line in lines if line.kind == "refund"]
    return "\r\n".join(
        [
            "#支付宝业务明细查询",
            f"#账号：[{seller_id}0156]",  # noqa: RUF001
            f"#起始日期：[{day} 00:00:00]",  # noqa: RUF001
            f"{RULE}业务明细列表----------------------------------------",
            HEADER,
            table.getvalue() + f"{RULE}业务明细列表结束------------------------------------",
            f"#交易合计：{len(charges)}笔，商家实收共{yuan(_sum(charges))}元",  # noqa: RUF001
            f"#退款合计：{len(refunds)}笔，商家实收退款共-{yuan(_sum(refunds))}元",  # noqa: RUF001
            "",
        ]
    )


def _row(line: SettlementLine) -> list[str]:
    is_refund = line.kind == "refund"
    amount = f"-{yuan(line.amount_minor)}" if is_refund else yuan(line.amount_minor)
    at = clock_time(line.occurred_ms) or ""
    order = (line.parent or "") if is_refund else line.number
    fee = NOTHING if is_refund or not line.fee_minor else f"-{yuan(line.fee_minor)}"
    # A tabulator keeps spreadsheets from taking the long numbers for amounts.
    head = [f"{line.reference}\t", f"{order}\t", "退款" if is_refund else "交易", "停车", at, at]
    shop = ["", "", "", "", "159****5620"]
    shares = [amount, amount, *[NOTHING] * 5, "", NOTHING, NOTHING]
    return [*head, *shop, *shares, f"{line.number}\t" if is_refund else "", fee, NOTHING, ""]


def _summary(lines: list[SettlementLine]) -> str:
    return "\r\n".join(
        [
            "#支付宝业务汇总查询",
            f"{RULE}业务汇总列表----------------------------------------",
            "门店编号,门店名称,交易订单总笔数",
            f"合计,,{len(lines)}",
            f"{RULE}业务汇总列表结束------------------------------------",
            "",
        ]
    )


def _sum(lines: list[SettlementLine]) -> int:
    return sum(line.amount_minor for line in lines)
