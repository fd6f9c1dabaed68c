"""Rows of the books as the objects that Stripe's API documents."""

from typing import Final

from sesame.sandbox.platform import Json

API_VERSION: Final = "2026-10-28.endive"
NUMBER: Final = "sesame_number"


def intent_json(row: Json, *, livemode: bool, amount: int | None = None) -> Json:
    """Return an order as a PaymentIntent; `amount` is what it claims."""
    extra, status = row["extra"], intent_status(row)
    shown = row["amount_minor"] if amount is None else amount
    error = extra.get("error")
    return {
        "id": row["reference"],
        "object": "payment_intent",
        "amount": shown,
        "amount_received": shown if status == "succeeded" else 0,
        "canceled_at": extra.get("canceled_s"),
        "cancellation_reason": extra.get("reason"),
        "capture_method": "automatic",
        "created": row["created_ms"] // 1000,
        "currency": row["currency"].lower(),
        "customer": extra.get("customer"),
        "description": row["description"] or None,
        "last_payment_error": error,
        "latest_charge": charge_id(row) if status in {"succeeded", "processing"} else None,
        "livemode": livemode,
        "metadata": extra.get("metadata", {}),
        "payment_method": extra.get("payment_method"),
        "payment_method_types": ["card"],
        "status": status,
    }


def intent_status(row: Json) -> str:
    """Return where a PaymentIntent stands."""
    extra = row["extra"]
    if row["status"] == "succeeded":
        return "succeeded"
    if row["status"] == "failed":
        return "canceled" if "canceled_s" in extra else extra.get("open_as", "canceled")
    return "requires_payment_method" if extra.get("unconfirmed") else "processing"


def charge_id(row: Json) -> str:
    """Return the id of the charge that an intent made."""
    return row["reference"].replace("pi_", "ch_", 1)


def charge_json(row: Json, *, livemode: bool) -> Json:
    """Return an order's Charge."""
    return {
        "id": charge_id(row),
        "object": "charge",
        "amount": row["amount_minor"],
        "captured": row["status"] == "succeeded",
        "created": row["created_ms"] // 1000,
        "currency": row["currency"].lower(),
        "livemode": livemode,
        "metadata": row["extra"].get("metadata", {}),
        "paid": row["status"] == "succeeded",
        "payment_intent": row["reference"],
        "status": "succeeded" if row["status"] == "succeeded" else "pending",
    }


def checkout_json(row: Json, *, livemode: bool, public_url: str) -> Json:
    """Return an order as a Checkout Session in payment mode."""
    extra = row["extra"]
    status = {"accepted": "open", "succeeded": "complete", "failed": "expired"}[row["status"]]
    is_paid = status == "complete"
    return {
        "id": extra["session"],
        "object": "checkout.session",
        "amount_total": row["amount_minor"],
        "client_reference_id": extra.get("client_reference_id"),
        "created": row["created_ms"] // 1000,
        "currency": row["currency"].lower(),
        "customer": None,
        "expires_at": extra["expires_s"],
        "livemode": livemode,
        "metadata": extra.get("session_metadata", {}),
        "mode": "payment",
        "payment_intent": row["reference"] if is_paid else None,
        "payment_status": "paid" if is_paid else "unpaid",
        "setup_intent": None,
        "status": status,
        "success_url": row["return_url"],
        "url": f"{public_url}/pay/{row['token']}" if status == "open" else None,
    }


def setup_page_json(row: Json, *, livemode: bool, public_url: str) -> Json:
    """Return an agreement as a Checkout Session in setup mode."""
    extra = row["extra"]
    status = {"pending": "open", "expired": "expired"}.get(row["status"], "complete")
    if extra.get("expired"):
        status = "expired"
    return {
        "id": extra["session"],
        "object": "checkout.session",
        "amount_total": None,
        "client_reference_id": extra.get("client_reference_id"),
        "created": row["created_ms"] // 1000,
        "currency": None,
        "customer": row["reference"],
        "expires_at": row["expires_ms"] // 1000,
        "livemode": livemode,
        "metadata": extra.get("session_metadata", {}),
        "mode": "setup",
        "payment_intent": None,
        "payment_status": "no_payment_required",
        "setup_intent": extra.get("setup_intent"),
        "status": status,
        "success_url": row["return_url"],
        "url": f"{public_url}/confirm/{row['token']}" if status == "open" else None,
    }


def setup_intent_json(row: Json, *, livemode: bool, card: Json | None = None) -> Json:
    """Return a confirmed agreement as a SetupIntent; `card` in place of its id where asked for."""
    extra = row["extra"]
    return {
        "id": extra["setup_intent"],
        "object": "setup_intent",
        "created": (row["signed_ms"] or row["created_ms"]) // 1000,
        "customer": row["reference"],
        "livemode": livemode,
        "metadata": extra.get("setup_metadata", {}),
        "payment_method": extra["payment_method"] if card is None else card,
        "payment_method_types": ["card"],
        "status": "succeeded",
        "usage": "off_session",
    }


def refund_json(row: Json, payment: str) -> Json:
    """Return a refund; `payment` is the PaymentIntent that it is of."""
    extra = row["extra"]
    status = {"accepted": "pending"}.get(row["status"], row["status"])
    return {
        "id": row["reference"],
        "object": "refund",
        "amount": row["amount_minor"],
        "created": row["created_ms"] // 1000,
        "currency": row["currency"].lower(),
        "failure_balance_transaction": extra.get("came_back"),
        "failure_reason": row["failure_code"] if status == "failed" else None,
        "metadata": extra.get("metadata", {}),
        "payment_intent": payment,
        "reason": "requested_by_customer",
        "status": status,
    }


def dispute_json(row: Json, order: Json, *, livemode: bool) -> Json:
    """Return a chargeback as a Dispute."""
    status = {"opened": "needs_response"}.get(row["status"], row["status"])
    return {
        "id": row["reference"].replace("cbk_", "du_", 1),
        "object": "dispute",
        "amount": row["amount_minor"],
        "charge": charge_id(order),
        "created": row["created_ms"] // 1000,
        "currency": row["currency"].lower(),
        "livemode": livemode,
        "metadata": {},
        "payment_intent": order["reference"],
        "reason": row["reason"],
        "status": status,
    }


def list_json(url: str, items: list[Json], *, limit: int, after: str | None) -> Json:
    """Return a page of a list that is newest first."""
    if after is not None:
        ids = [item["id"] for item in items]
        items = items[ids.index(after) + 1 :] if after in ids else []
    return {
        "object": "list",
        "url": url,
        "data": items[:limit],
        "has_more": len(items) > limit,
    }
