"""Days that pass by control: banks take theirs."""

from sesame.sandbox.gocardless.objects import CONFIRMED_AFTER_DAYS, PAID_OUT_AFTER_DAYS
from sesame.sandbox.platform import ORDER, REFUND, Json, Platform

DAYS_MAX = 400


def pass_day(platform: Platform) -> None:
    """Let one working day pass for every mandate, payment and refund."""
    store = platform.store
    with store.transaction():
        for row in store.all("select * from agreement where status = 'active'"):
            platform.agreements.note(row["reference"], {"days": row["extra"].get("days", 0) + 1})
        for row in store.all("select * from orders where status = 'accepted'"):
            _move(platform, row)
        paid = "select * from orders where space = 'order' and status = 'succeeded'"
        for row in store.all(paid):
            _pay_out(platform, row)


def _move(platform: Platform, row: Json) -> None:
    space, number = row["space"], row["number"]
    days = row["extra"].get("days", 0) + 1
    platform.orders.note(space, number, {"days": days, "stage": "submitted"})
    if days < CONFIRMED_AFTER_DAYS:
        return
    cause = row["extra"].get("fails_with")
    status = "failed" if cause else "succeeded"
    platform.orders.settle(space, number, status, failure_code=cause)


def _pay_out(platform: Platform, row: Json) -> None:
    days = row["extra"].get("days", 0) + 1
    if row["extra"].get("is_paid_out") or days > PAID_OUT_AFTER_DAYS:
        return
    platform.orders.note(ORDER, row["number"], {"days": days})
    if days == PAID_OUT_AFTER_DAYS:
        paid = platform.orders.note(ORDER, row["number"], {"is_paid_out": True})
        platform.notices.add("charge.paid_out", paid, row["manner"])


def cancel_mandate(platform: Platform, reference: str) -> Json:
    """End a mandate, and every payment that was not submitted yet."""
    with platform.store.transaction():
        row = platform.agreements.cancel(reference)
        for order in platform.orders.children(ORDER, reference):
            if order["status"] == "accepted" and order["extra"]["stage"] == "pending_submission":
                platform.orders.settle(ORDER, order["number"], "failed", failure_code="cancelled")
    return row


def is_refundable(row: Json) -> bool:
    """Whether a payment has brought money."""
    return row["space"] != REFUND and row["status"] == "succeeded"
