"""PaymentIntents, payment pages and refunds."""

from typing import Any

from sesame.sandbox.platform import (
    ORDER,
    REFUND,
    Json,
    NewOrder,
    NotFoundError,
    Outcome,
    Turn,
    unpaid_checkout,
)
from sesame.sandbox.stripe import cards
from sesame.sandbox.stripe.account import (
    Account,
    integer,
    metadata_of,
    need,
    only,
    page_of,
    section,
)
from sesame.sandbox.stripe.errors import StripeRefusedError, invalid, missing
from sesame.sandbox.stripe.form import Form
from sesame.sandbox.stripe.objects import checkout_json, intent_json, intent_status, refund_json
from sesame.sandbox.stripe.things import new_id

PAGE_LIFETIME_S = 24 * 3600
PAGE_LIFETIME_S_MIN = 1800
_INTENTS = (
    "select * from orders where space = 'order' and (json_extract(extra, '$.is_intent') = 1"
    " or (json_extract(extra, '$.session') is not null and status = 'succeeded'))"
)
_PAGES = (
    "select * from orders where space = 'order' and json_extract(extra, '$.session') is not null"
)
_WHOLE_HUNDREDS = {"isk", "ugx"}
_THREE_DIGITS = {"bhd", "jod", "kwd", "omr", "tnd"}


def create_intent(account: Account, form: Form, turn: Turn) -> Json:
    """Answer POST /v1/payment_intents."""
    only(
        form,
        *("amount", "currency", "customer", "payment_method", "allowed_payment_method_types"),
        *("off_session", "confirm", "description", "metadata"),
    )
    amount, currency = _amount(form)
    metadata, identity = metadata_of(form), new_id("pi")
    asked = NewOrder(
        number=account.number_for(metadata, identity),
        amount_minor=amount,
        currency=currency,
        parameters={"intent": identity},
        description=form.get("description", ""),
        parent=form.get("customer"),
        reference=identity,
        extra={
            "is_intent": 1,
            "customer": form.get("customer"),
            "payment_method": form.get("payment_method"),
            "metadata": metadata,
        },
    )
    if form.get("confirm") != "true":
        asked.extra["unconfirmed"] = True
        row = account.platform.orders.checkout(asked, Outcome(status="accepted"))
        return intent_json(row, livemode=account.livemode)
    _require_card(account, form)
    row = account.platform.orders.charge(asked, turn.outcome)
    shown = turn.shown_minor(amount)
    if row["status"] == "failed":
        raise _declined(account, row)
    return intent_json(row, livemode=account.livemode, amount=shown)


def cancel_intent(account: Account, identity: str, form: Form) -> Json:
    """Answer POST /v1/payment_intents/{id}/cancel."""
    only(form, "cancellation_reason")
    row = account.intent(identity)
    status = intent_status(row)
    if status in {"succeeded", "canceled"}:
        raise invalid(
            f"You cannot cancel this PaymentIntent because it has a status of {status}.",
            code="payment_intent_unexpected_state",
        )
    orders = account.platform.orders
    reason = form.get("cancellation_reason")
    ended = {"canceled_s": account.platform.now_ms() // 1000, "reason": reason}
    row = orders.note(ORDER, row["number"], ended)
    if row["status"] == "failed":
        # The decline is told; that the intent is over is news.
        account.platform.notices.add("intent.canceled", row, row["manner"])
    else:
        row = orders.close(row["number"])
    return intent_json(row, livemode=account.livemode)


def list_intents(account: Account, form: Form) -> Json:
    """Answer GET /v1/payment_intents."""
    only(form, "customer", "created", "limit", "starting_after", "expand")
    rows = account.rows(_INTENTS, form)
    if "customer" in form:
        rows = [row for row in rows if row["extra"].get("customer") == form["customer"]]
    items = [intent_json(row, livemode=account.livemode) for row in rows]
    return page_of("/v1/payment_intents", form, items)


def open_page(account: Account, form: Form, turn: Turn) -> Json:
    """Answer POST /v1/checkout/sessions."""
    only(
        form,
        *("mode", "customer", "allowed_payment_method_types", "client_reference_id", "metadata"),
        *("setup_intent_data", "payment_intent_data", "custom_text", "line_items"),
        *("success_url", "cancel_url", "expires_at", "currency"),
    )
    if need(form, "mode") == "setup":
        return cards.open_setup(account, form, turn)
    items: Any = form.get("line_items") or []
    prices = [item["price_data"] for item in items]
    if len(prices) != 1 or items[0].get("quantity") != "1":
        raise invalid("line_items: the stand-in sells one thing", param="line_items")
    price: Form = {"amount": prices[0]["unit_amount"], "currency": prices[0]["currency"]}
    amount, currency = _amount(price)
    now_s = account.platform.now_ms() // 1000
    expires_s = integer(form, "expires_at") if "expires_at" in form else now_s + PAGE_LIFETIME_S
    if not PAGE_LIFETIME_S_MIN <= expires_s - now_s <= PAGE_LIFETIME_S:
        raise invalid("expires_at: 30 minutes to 24 hours from now", param="expires_at")
    session = new_id("cs_live" if account.livemode else "cs_test")
    inner = section(form, "payment_intent_data")
    asked = NewOrder(
        number=account.number_for(metadata_of(inner), session),
        amount_minor=amount,
        currency=currency,
        parameters={"session": session},
        description=prices[0]["product_data"]["name"],
        return_url=need(form, "success_url"),
        reference=new_id("pi"),
        extra={
            "session": session,
            "client_reference_id": form.get("client_reference_id"),
            "session_metadata": metadata_of(form),
            "metadata": metadata_of(inner),
            "expires_s": expires_s,
        },
    )
    row = account.platform.orders.checkout(asked, unpaid_checkout(turn.manner))
    return page_json(account, row)


def page_json(account: Account, row: Json) -> Json:
    """Return a payment page."""
    url = account.platform.public_url
    return checkout_json(row, livemode=account.livemode, public_url=url)


def find_page(account: Account, identity: str) -> Json:
    """Answer GET /v1/checkout/sessions/{id}."""
    paid = account.platform.store.one(
        f"{_PAGES} and json_extract(extra, '$.session') = ?", identity
    )
    if paid is not None:
        return page_json(account, paid)
    setups = account.platform.agreements.where("session", identity)
    if not setups:
        raise missing("checkout.session", identity, param="session")
    return cards.setup_json(account, account.platform.agreements.get(setups[0]["reference"]))


def expire_page(account: Account, identity: str, form: Form) -> Json:
    """Answer POST /v1/checkout/sessions/{id}/expire."""
    only(form)
    page = find_page(account, identity)
    if page["status"] != "open":
        raise invalid(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
            f" Session has a status of {page['status']}.",
        )
    if page["mode"] == "setup":
        account.platform.agreements.note(page["customer"], {"expired": True})
        account.platform.agreements.cancel(page["customer"])
    else:
        row = account.platform.store.one(
            f"{_PAGES} and json_extract(extra, '$.session') = ?", identity
        )
        account.platform.orders.close(row["number"] if row else "")
    return find_page(account, identity)


def list_pages(account: Account, form: Form) -> Json:
    """Answer GET /v1/checkout/sessions."""
    only(form, "customer", "created", "limit", "starting_after", "expand", "status")
    if "customer" in form:
        items = cards.setup_pages(account, form["customer"])
    else:
        items = [page_json(account, row) for row in account.rows(_PAGES, form)]
    return page_of("/v1/checkout/sessions", form, items)


def create_refund(account: Account, form: Form, turn: Turn) -> Json:
    """Answer POST /v1/refunds."""
    only(form, "payment_intent", "amount", "reason", "metadata")
    payment = account.intent(need(form, "payment_intent"))
    if payment["status"] != "succeeded":
        raise invalid(
            "This PaymentIntent does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
        )
    amount = integer(form, "amount")
    _require_refundable(account, payment, amount)
    metadata, identity = metadata_of(form), new_id("re")
    row = account.platform.orders.refund(
        NewOrder(
            number=_refund_number(account, metadata, identity),
            amount_minor=amount,
            currency=payment["currency"],
            parameters={"refund": identity},
            parent=payment["number"],
            reference=identity,
            extra={"metadata": metadata},
        ),
        turn.outcome,
    )
    return refund_json(row, payment["reference"])


def find_refund(account: Account, identity: str) -> Json:
    """Answer GET /v1/refunds/{id}."""
    try:
        row = account.platform.orders.by_reference(REFUND, identity)
    except NotFoundError as error:
        raise missing("refund", identity, param="id") from error
    payment = account.platform.orders.get(ORDER, row["parent"])
    return refund_json(row, payment["reference"])


def list_refunds(account: Account, form: Form) -> Json:
    """Answer GET /v1/refunds."""
    only(form, "payment_intent", "created", "limit", "starting_after", "expand")
    payment = account.intent(need(form, "payment_intent"))
    rows = account.platform.orders.children(REFUND, payment["number"])
    items = [refund_json(row, payment["reference"]) for row in reversed(rows)]
    return page_of("/v1/refunds", form, items)


def return_refund(account: Account, number: str) -> None:
    """Let a refund that had succeeded fail later: its money is the merchant's again.

    Raises:
        NotFoundError: no such refund has succeeded.
    """
    platform = account.platform
    with platform.store.transaction():
        row = platform.orders.get(REFUND, number)
        if row["status"] != "succeeded":
            raise NotFoundError
        came_back = {"came_back": new_id("txn"), "came_back_ms": platform.now_ms()}
        platform.orders.note(REFUND, number, came_back)
        platform.store.run(
            "update orders set status = 'failed', failure_code = 'expired_or_canceled_card'"
            " where space = 'refund' and number = ?",
            number,
        )
        platform.notices.add("refund.failed", platform.orders.get(REFUND, number))


def _amount(form: Form) -> tuple[int, str]:
    amount, currency = integer(form, "amount"), need(form, "currency")
    if not amount:
        raise invalid("Amount must be more than nothing", code="amount_too_small", param="amount")
    step = 100 if currency in _WHOLE_HUNDREDS else 10 if currency in _THREE_DIGITS else 1
    if amount % step:
        raise invalid(
            f"Invalid amount for {currency}",
            code="invalid_charge_amount_no_decimal_compatible",
            param="amount",
        )
    return amount, currency.upper()


def _require_card(account: Account, form: Form) -> None:
    card = cards.card_of(account, need(form, "payment_method"))
    customer = need(form, "customer")
    if card["customer"] is None:
        raise invalid(
            "The provided PaymentMethod was detached from a Customer. It may not be used again.",
            code="payment_method_unexpected_state",
            param="payment_method",
        )
    if card["customer"] != customer:
        raise missing("PaymentMethod", card["id"], param="payment_method", status=400)


def _declined(account: Account, row: Json) -> Exception:
    failure = row["failure_code"]
    is_plain = failure == "declined"
    error: Json = {
        "type": "card_error",
        "code": "card_declined" if is_plain else failure,
        "decline_code": "generic_decline" if is_plain else failure,
        "advice_code": "try_again_later",
        "message": "Your card was declined.",
    }
    noted: Json = {"error": error, "open_as": "requires_payment_method"}
    row = account.platform.orders.note(ORDER, row["number"], noted)
    body = {**error, "payment_intent": intent_json(row, livemode=account.livemode)}
    return StripeRefusedError(402, body)


def _require_refundable(account: Account, payment: Json, amount: int) -> None:
    try:
        if account.platform.chargebacks.get(payment["number"])["status"] != "won":
            raise invalid("Charge has been charged back.", code="charge_disputed")
    except NotFoundError:
        pass
    given = sum(
        row["amount_minor"]
        for row in account.platform.orders.children(REFUND, payment["number"])
        if row["status"] != "failed"
    )
    if given == payment["amount_minor"]:
        raise invalid("Charge has already been refunded.", code="charge_already_refunded")
    if given + amount > payment["amount_minor"]:
        raise invalid(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge"
            f" ({payment['amount_minor'] - given})",
            param="amount",
        )


def _refund_number(account: Account, metadata: dict[str, str], identity: str) -> str:
    number = metadata.get("sesame_number", identity)
    try:
        account.platform.orders.get(REFUND, number)
    except NotFoundError:
        return number
    return f"{number}.{identity}"
