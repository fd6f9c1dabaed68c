"""Balance transactions, with the differences that were asked for."""

from typing import Any

from sesame.sandbox.platform import (
    ORDER,
    REFUND,
    Json,
    NotFoundError,
    SettlementLine,
    settlement_lines,
)
from sesame.sandbox.stripe.account import Account, only, page_of, window
from sesame.sandbox.stripe.form import Form
from sesame.sandbox.stripe.objects import NUMBER, charge_json, dispute_json, refund_json

FEE_BASIS_POINTS = 150
_CATEGORIES = {"chargeback": "dispute", "chargeback_reversed": "dispute_reversal"}
_RETURNED = (
    "select * from orders where space = 'refund'"
    " and json_extract(extra, '$.came_back_ms') is not null"
)


def list_movements(account: Account, form: Form) -> Json:
    """Answer GET /v1/balance_transactions."""
    only(form, "created", "limit", "starting_after", "expand", "type", "source")
    start, end = window(form)
    if "starting_after" not in form:
        account.differences = account.platform.script.take_differences()
    lines = settlement_lines(
        account.platform.store,
        start * 1000,
        end * 1000,
        differences=account.differences,
        fee_basis_points=FEE_BASIS_POINTS,
    )
    expand = "data.source" in form.get("expand", [])
    items = [_movement(account, line, expand=expand) for line in lines]
    for row in account.platform.store.all(_RETURNED):
        items += _returned(account, row, (start, end), expand=expand)
    items.sort(key=lambda item: (item["created"], item["id"]), reverse=True)
    return page_of("/v1/balance_transactions", form, items)


def _movement(account: Account, line: SettlementLine, *, expand: bool) -> Json:
    source = _source(account, line)
    sign = 1 if line.kind in {"charge", "chargeback_reversed"} else -1
    suffix = line.reference.partition("_")[2]
    return {
        "id": f"txn_{line.kind}_{suffix}",
        "object": "balance_transaction",
        "amount": sign * line.amount_minor,
        "created": line.occurred_ms // 1000,
        "currency": line.currency.lower(),
        "exchange_rate": None,
        "fee": line.fee_minor,
        "net": sign * line.amount_minor - line.fee_minor,
        "reporting_category": _CATEGORIES.get(line.kind, line.kind),
        "source": source if expand else source["id"],
        "type": "adjustment" if line.kind in _CATEGORIES else line.kind,
    }


def _source(account: Account, line: SettlementLine) -> Json:
    orders = account.platform.orders
    try:
        if line.kind == "refund":
            payment = orders.get(ORDER, line.parent or "")
            return refund_json(orders.get(REFUND, line.number), payment["reference"])
        order = orders.get(ORDER, line.number)
    except NotFoundError:
        # A row that the books know nothing of.
        metadata = {NUMBER: line.number}
        source: Json = {"id": line.reference.replace("txn_", "ch_"), "object": "charge"}
        return {**source, "metadata": metadata, "currency": line.currency.lower()}
    if line.kind == "charge":
        return charge_json(order, livemode=account.livemode)
    row = account.platform.chargebacks.get(line.number)
    return dispute_json(row, order, livemode=account.livemode)


def _returned(account: Account, row: Json, bounds: tuple[int, int], *, expand: bool) -> list[Json]:
    """Return a returned refund's two movements: it left, and it came back."""
    payment = account.platform.orders.get(ORDER, row["parent"])
    source = refund_json(row, payment["reference"])
    moved = (
        (-1, row["settled_ms"], "refund", f"txn_refund_{row['reference']}"),
        (1, row["extra"]["came_back_ms"], "refund_failure", row["extra"]["came_back"]),
    )
    found: list[Any] = [
        {
            "id": identity,
            "object": "balance_transaction",
            "amount": sign * row["amount_minor"],
            "created": at_ms // 1000,
            "currency": row["currency"].lower(),
            "exchange_rate": None,
            "fee": 0,
            "net": sign * row["amount_minor"],
            "reporting_category": category,
            "source": source if expand else source["id"],
            "type": category,
        }
        for sign, at_ms, category, identity in moved
        if bounds[0] <= at_ms // 1000 < bounds[1]
    ]
    return found
