"""GoCardless' objects, from the books."""

from sesame.sandbox.platform import (
    REFUND,
    Json,
    NotFoundError,
    Platform,
    SettlementLine,
    instant,
)

SCHEME = "sepa_core"
CONFIRMED_AFTER_DAYS = 3
PAID_OUT_AFTER_DAYS = 5
LATE_FAILURE = "late_failure"
_ACTIONS = {
    "failed": "failed",
    "charge": "confirmed",
    "chargeback": "charged_back",
    "chargeback_reversed": "chargeback_cancelled",
    "refund": "paid",
}


def billing_request_json(row: Json) -> Json:
    """Return a billing request; an agreement of the books."""
    extra, mandate = row["extra"], row["extra"].get("mandate")
    is_over = row["status"] in {"cancelled", "expired"} and mandate is None
    fulfilled = "fulfilled" if mandate else "pending"
    return {
        "id": row["reference"],
        "created_at": instant(row["created_ms"]),
        "status": "cancelled" if is_over else fulfilled,
        "metadata": extra["metadata"],
        "mandate_request": {
            "currency": "EUR",
            "scheme": SCHEME,
            "description": row["description"],
            "metadata": extra["mandate_metadata"],
            "links": {"mandate": mandate} if mandate else {},
        },
        "links": {"mandate_request_mandate": mandate} if mandate else {},
    }


def mandate_json(row: Json) -> Json:
    """Return the mandate that came of an agreement."""
    extra = row["extra"]
    days = extra.get("days", 0)
    status = "cancelled" if row["status"] != "active" else "pending_submission"
    if status != "cancelled" and days:
        status = "active" if days >= CONFIRMED_AFTER_DAYS else "submitted"
    return {
        "id": extra["mandate"],
        "created_at": instant(row["signed_ms"]),
        "status": status,
        "scheme": SCHEME,
        "metadata": extra["mandate_metadata"],
        "links": {"customer_bank_account": bank_account_of(extra["mandate"])},
    }


def bank_account_json(account: str) -> Json:
    """Return what may be shown of a payer's account; the same for the same id."""
    return {
        "id": account,
        "account_number_ending": f"{sum(account.encode()) % 100:02d}",
        "bank_name": "Sandbox Bank",
        "currency": "EUR",
        "country_code": "DE",
    }


def bank_account_of(mandate: str) -> str:
    """Return the account behind a mandate."""
    return f"BA{mandate.removeprefix('MD')}"


def payment_json(platform: Platform, row: Json) -> Json:
    """Return a payment; an order of the books."""
    refunds = platform.orders.children(REFUND, row["number"])
    return {
        "id": row["reference"],
        "created_at": instant(row["created_ms"]),
        "amount": row["amount_minor"],
        "amount_refunded": sum(
            item["amount_minor"] for item in refunds if item["status"] != "failed"
        ),
        "currency": row["currency"],
        "description": row["description"],
        "status": _payment_status(platform, row),
        "metadata": row["extra"]["metadata"],
        "links": {"mandate": row["extra"]["mandate"]},
    }


def refund_json(row: Json) -> Json:
    """Return a refund."""
    status = {"accepted": "created", "succeeded": "paid", "failed": "bounced"}[row["status"]]
    return {
        "id": row["reference"],
        "created_at": instant(row["created_ms"]),
        "amount": row["amount_minor"],
        "currency": row["currency"],
        "status": status,
        "metadata": row["extra"]["metadata"],
        "links": {"payment": row["extra"]["payment"], "mandate": row["extra"]["mandate"]},
    }


def line_event_json(line: SettlementLine) -> tuple[Json, Json]:
    """Return a settlement line as an event, and the object that it is about."""
    is_refund = line.kind == "refund"
    topic = "refund" if is_refund else "payment"
    metadata = {"number": line.number}
    is_late = line.extra.get("reason") == LATE_FAILURE
    event = {
        "id": f"EV{line.reference}{line.kind}".replace("_", ""),
        "created_at": instant(line.occurred_ms),
        "resource_type": f"{topic}s",
        "action": "failed" if is_late else _ACTIONS[line.kind],
        "links": {topic: line.reference},
        "resource_metadata": metadata,
    }
    about = {
        "id": line.reference,
        "created_at": instant(line.occurred_ms),
        "status": "paid" if is_refund else "confirmed",
        "amount": line.amount_minor,
        "currency": line.currency,
        "metadata": metadata,
        "links": {},
    }
    return event, about


def _payment_status(platform: Platform, row: Json) -> str:
    if row["status"] == "failed":
        return "cancelled" if row["failure_code"] in {"cancelled", "closed"} else "failed"
    if row["status"] == "accepted":
        return row["extra"]["stage"]
    try:
        chargeback = platform.chargebacks.get(row["number"])
        if chargeback["status"] != "won":
            return "failed" if chargeback["reason"] == LATE_FAILURE else "charged_back"
    except NotFoundError:
        pass
    return "paid_out" if row["extra"].get("is_paid_out") else "confirmed"
