"""What the gateway does with trades and refunds."""

from sesame.sandbox.alipay.gateway import Gateway, RefusedError, object_of, text_of, trade_no
from sesame.sandbox.alipay.values import clock_time, minor, yuan
from sesame.sandbox.platform import (
    ORDER,
    REFUND,
    Json,
    NewOrder,
    NotFoundError,
    NumberConflictError,
    Scenario,
    Turn,
)

CURRENCY = "CNY"
SYSTEM_ERROR = "ACQ.SYSTEM_ERROR"
BALANCE = "ACQ.BUYER_BALANCE_NOT_ENOUGH"
SELLER_BALANCE = "ACQ.SELLER_BALANCE_NOT_ENOUGH"
WITHHOLDING = "GENERAL_WITHHOLDING"
BUYER = "2088000000000001"


def pay(gateway: Gateway, asked: Json, turn: Turn, notify_url: str) -> Json:
    """`alipay.trade.pay` under an agreement."""
    number, agreement_no = text_of(asked, "out_trade_no"), _agreement_no(asked)
    total = minor(asked.get("total_amount"))
    if asked.get("product_code") != WITHHOLDING or total is None:
        raise RefusedError("ACQ.INVALID_PARAMETER")
    known = find(gateway, number)
    if known is not None:
        row = _charged_again(gateway, known, asked)
    else:
        agreements = gateway.platform.agreements.where("agreement_no", agreement_no)
        if not agreements or agreements[0]["status"] != "active":
            raise RefusedError("ACQ.AGREEMENT_NOT_EXIST")
        if turn.outcome.status == "failed":
            # Nothing is written down: the number may be sent again, until it is cancelled.
            raise RefusedError(turn.rule.failure_code or BALANCE if turn.rule else BALANCE)
        order = _order(gateway, asked, total, notify_url, agreements[0]["reference"])
        row = gateway.platform.orders.charge(order, turn.outcome)
    if turn.scenario is Scenario.UNKNOWN:
        raise RefusedError(SYSTEM_ERROR)
    node = {**trade_json(row), "total_amount": yuan(turn.shown_minor(row["amount_minor"]))}
    if row["status"] == "accepted":
        return {"code": "10003", "msg": "order success pay inprocess", **node}
    if "advance" in row["extra"]:
        node["advance_amount"] = yuan(row["amount_minor"])
    return {**node, "gmt_payment": clock_time(row["settled_ms"])}


def query(gateway: Gateway, asked: Json, turn: Turn, _notify_url: str) -> Json:
    """`alipay.trade.query`."""
    if turn.scenario is Scenario.UNKNOWN:
        raise RefusedError(SYSTEM_ERROR)
    row = _required(gateway, asked)
    node = {**trade_json(row), "trade_status": status_of(gateway, row)}
    node["total_amount"] = yuan(turn.shown_minor(row["amount_minor"]))
    if row["status"] == "succeeded":
        node["send_pay_date"] = clock_time(row["settled_ms"])
    return node


def cancel(gateway: Gateway, asked: Json, _turn: Turn, _notify_url: str) -> Json:
    """`alipay.trade.cancel`: closes what is unpaid, gives back what is paid."""
    number = text_of(asked, "out_trade_no")
    row = find(gateway, number)
    node: Json = {"out_trade_no": number, "retry_flag": "N"}
    if row is None:
        gateway.platform.orders.close(number)
        return node
    if row["status"] == "succeeded":
        rest = row["amount_minor"] - refunded_minor(gateway, number)
        if rest:
            _give_back(gateway, row, number, rest)
        return {**node, "trade_no": row["reference"], "action": "refund"}
    gateway.platform.orders.close(number)
    return {**node, "trade_no": row["reference"], "action": "close"}


def close(gateway: Gateway, asked: Json, _turn: Turn, _notify_url: str) -> Json:
    """`alipay.trade.close`: only what is unpaid."""
    row = _required(gateway, asked)
    if row["status"] != "accepted":
        raise RefusedError("ACQ.TRADE_STATUS_ERROR")
    row = gateway.platform.orders.close(row["number"])
    return {"out_trade_no": row["number"], "trade_no": row["reference"]}


def refund(gateway: Gateway, asked: Json, turn: Turn, _notify_url: str) -> Json:
    """`alipay.trade.refund` under a number of its own."""
    trade = _required(gateway, asked)
    number, wanted = text_of(asked, "out_request_no"), minor(asked.get("refund_amount"))
    if wanted is None:
        raise RefusedError("ACQ.INVALID_PARAMETER")
    known = _refund_of(gateway, trade, number)
    if known is None:
        _require_refundable(gateway, trade, wanted)
        if turn.outcome.status == "failed":
            raise RefusedError((turn.rule.failure_code if turn.rule else None) or SELLER_BALANCE)
        _give_back(gateway, trade, number, wanted, turn)
    elif known["amount_minor"] != wanted:
        raise RefusedError("ACQ.DISCORDANT_REPEAT_REQUEST")
    if turn.scenario is Scenario.UNKNOWN:
        raise RefusedError(SYSTEM_ERROR)
    row = _refund_of(gateway, trade, number)
    changed = known is None and row is not None and row["status"] == "succeeded"
    return {
        **trade_json(trade),
        "fund_change": "Y" if changed else "N",
        "refund_fee": yuan(refunded_minor(gateway, trade["number"])),
    }


def refund_query(gateway: Gateway, asked: Json, turn: Turn, _notify_url: str) -> Json:
    """`alipay.trade.fastpay.refund.query`: nearly empty where there is no such refund."""
    trade = _required(gateway, asked)
    row = _refund_of(gateway, trade, text_of(asked, "out_request_no"))
    if row is None or row["status"] != "succeeded":
        return {}
    return {
        "out_trade_no": trade["number"],
        "trade_no": trade["reference"],
        "out_request_no": row["number"],
        "total_amount": yuan(trade["amount_minor"]),
        "refund_amount": yuan(turn.shown_minor(row["amount_minor"])),
        "refund_status": "REFUND_SUCCESS",
    }


def find(gateway: Gateway, number: str) -> Json | None:
    """Return an order, one that was cancelled before it came included."""
    try:
        return gateway.platform.orders.get(ORDER, number)
    except NotFoundError:
        return None


def status_of(gateway: Gateway, row: Json) -> str:
    """Return the trade's status: closed too, once all of it was given back."""
    if row["status"] == "accepted":
        return "WAIT_BUYER_PAY"
    if row["status"] == "failed":
        return "TRADE_CLOSED"
    is_returned = refunded_minor(gateway, row["number"]) == row["amount_minor"]
    return "TRADE_CLOSED" if is_returned else "TRADE_SUCCESS"


def refunded_minor(gateway: Gateway, number: str) -> int:
    """Return how much of a trade was given back."""
    rows = gateway.platform.orders.children(REFUND, number)
    return sum(row["amount_minor"] for row in rows if row["status"] == "succeeded")


def trade_json(row: Json) -> Json:
    """Return what every answer about a trade names."""
    return {
        "out_trade_no": row["number"],
        "trade_no": row["reference"],
        "buyer_user_id": BUYER,
        "buyer_logon_id": "159****5620",
    }


def _order(
    gateway: Gateway, asked: Json, total: int, notify_url: str, parent: str | None
) -> NewOrder:
    return NewOrder(
        number=asked["out_trade_no"],
        amount_minor=total,
        currency=CURRENCY,
        parameters=asked,
        description=str(asked.get("subject", "")),
        parent=parent,
        reference=trade_no(gateway.platform.now_ms()),
        extra={"notice_url": notify_url},
    )


def checkout_order(gateway: Gateway, asked: Json, notify_url: str, return_url: str) -> NewOrder:
    """Return the order of a payment page.

    Raises:
        RefusedError: a parameter is missing or malformed.
    """
    text_of(asked, "out_trade_no")
    total = minor(asked.get("total_amount"))
    if total is None or asked.get("product_code") != "QUICK_WAP_WAY":
        raise RefusedError("ACQ.INVALID_PARAMETER")
    order = _order(gateway, asked, total, notify_url, None)
    return NewOrder(
        number=order.number,
        amount_minor=total,
        currency=CURRENCY,
        parameters=asked,
        description=order.description,
        return_url=return_url,
        reference=order.reference,
        extra=order.extra,
    )


def _agreement_no(asked: Json) -> str:
    return text_of(object_of(asked.get("agreement_params")), "agreement_no")


def _charged_again(gateway: Gateway, known: Json, asked: Json) -> Json:
    # A number that was cancelled before it came takes no order any more.
    if known["parameters"] is None:
        raise RefusedError("ACQ.TRADE_HAS_CLOSE")
    order = _order(gateway, asked, known["amount_minor"], "", known["parent"])
    try:
        row = gateway.platform.orders.charge(order, Turn().outcome)
    except NumberConflictError as error:
        raise RefusedError("ACQ.CONTEXT_INCONSISTENT") from error
    if row["status"] != "accepted":
        is_paid = row["status"] == "succeeded"
        raise RefusedError("ACQ.TRADE_HAS_SUCCESS" if is_paid else "ACQ.TRADE_HAS_CLOSE")
    return row


def _required(gateway: Gateway, asked: Json) -> Json:
    row = find(gateway, text_of(asked, "out_trade_no"))
    if row is None or row["amount_minor"] is None:
        raise RefusedError("ACQ.TRADE_NOT_EXIST")
    return row


def _refund_of(gateway: Gateway, trade: Json, number: str) -> Json | None:
    rows = gateway.platform.orders.children(REFUND, trade["number"])
    return next((row for row in rows if row["number"] == number), None)


def _require_refundable(gateway: Gateway, trade: Json, wanted: int) -> None:
    if trade["status"] != "succeeded":
        raise RefusedError("ACQ.TRADE_STATUS_ERROR")
    rows = gateway.platform.orders.children(REFUND, trade["number"])
    given = sum(row["amount_minor"] for row in rows if row["status"] != "failed")
    if given + wanted > trade["amount_minor"]:
        raise RefusedError("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")


def _give_back(
    gateway: Gateway, trade: Json, number: str, wanted: int, turn: Turn | None = None
) -> None:
    gateway.platform.orders.refund(
        NewOrder(
            number=number,
            amount_minor=wanted,
            currency=CURRENCY,
            parameters={"out_request_no": number, "refund_amount": wanted},
            parent=trade["number"],
            reference=trade_no(gateway.platform.now_ms()),
            extra={"notice_url": trade["extra"]["notice_url"]},
        ),
        (turn or Turn()).outcome,
    )
