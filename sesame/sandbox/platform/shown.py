"""The books as `GET /_books` shows them, the same for every stand-in."""

from sesame.sandbox.platform.parts import Platform
from sesame.sandbox.platform.store import Json, instant

ROWS_MAX = 10_000


def agreement_json(row: Json) -> Json:
    """Return an agreement."""
    return {
        "reference": row["reference"],
        "status": row["status"],
        "payer_hint": row["payer_hint"],
        "signed_at": instant(row["signed_ms"]),
        "cancelled_at": instant(row["cancelled_ms"]),
    }


def order_json(row: Json) -> Json:
    """Return an order or a refund."""
    shown = {
        "number": row["number"],
        "status": row["status"],
        "failure_code": row["failure_code"],
        "reference": row["reference"],
        "amount_minor": row["amount_minor"],
        "currency": row["currency"],
    }
    if row["space"] == "refund":
        return {**shown, "charge": row["parent"]}
    return {**shown, "kind": row["kind"], "guaranteed": bool(row["guaranteed"])}


def books_json(platform: Platform) -> Json:
    """Return the lists, cut at `ROWS_MAX`, and sums over everything."""
    store = platform.store
    orders = store.all("select * from orders order by created_ms, rowid limit ?", ROWS_MAX)
    agreements = store.all("select * from agreement order by created_ms, rowid limit ?", ROWS_MAX)
    chargebacks = store.all("select * from chargeback order by created_ms, rowid limit ?", ROWS_MAX)
    return {
        "agreements": [
            {**agreement_json(row), "number": row["number"], "extra": row["extra"]}
            for row in agreements
        ],
        "orders": [_order(row) for row in orders if row["space"] == "order"],
        "refunds": [_order(row) for row in orders if row["space"] == "refund"],
        "chargebacks": [_chargeback(row) for row in chargebacks],
        "sums": _sums(platform),
        "notices": platform.notices.counts(),
    }


def _order(row: Json) -> Json:
    agreement = {"agreement": row["parent"]} if row["kind"] == "charge" else {}
    return {**order_json(row), **agreement, "extra": row["extra"]}


def _chargeback(row: Json) -> Json:
    names = ("number", "reference", "status", "reason", "amount_minor", "currency")
    return {name: row[name] for name in names}


def _sums(platform: Platform) -> dict[str, Json]:
    rows = platform.store.all(
        "select currency,"
        " coalesce(sum(amount_minor) filter (where space = 'order'), 0) as captured_minor,"
        " coalesce(sum(amount_minor) filter (where space = 'refund'), 0) as refunded_minor"
        " from orders where status = 'succeeded' group by currency order by currency"
    )
    taken_back = platform.store.all(
        "select currency, sum(amount_minor) as minor from chargeback where status != 'won'"
        " group by currency"
    )
    charged_back = {row["currency"]: row["minor"] for row in taken_back}
    sums: dict[str, Json] = {}
    for row in rows:
        back = charged_back.get(row["currency"], 0)
        sums[row["currency"]] = {
            "captured_minor": row["captured_minor"],
            "refunded_minor": row["refunded_minor"],
            "charged_back_minor": back,
            "balance_minor": row["captured_minor"] - row["refunded_minor"] - back,
        }
    return sums
