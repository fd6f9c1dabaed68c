"""Customers, their hosted setup page, and their cards."""

import secrets

from sesame.sandbox.platform import Json, NewAgreement, NotFoundError, Turn
from sesame.sandbox.stripe.account import Account, metadata_of, need, only, page_of, section
from sesame.sandbox.stripe.errors import invalid, missing
from sesame.sandbox.stripe.form import Form
from sesame.sandbox.stripe.objects import setup_intent_json, setup_page_json
from sesame.sandbox.stripe.things import new_id

CUSTOMER = "customer"
CARD = "payment_method"


def create_customer(account: Account, form: Form) -> Json:
    """Answer POST /v1/customers."""
    only(form, "metadata", "email", "name", "description")
    now_ms = account.platform.now_ms()
    customer = {
        "id": new_id("cus"),
        "object": "customer",
        "created": now_ms // 1000,
        "livemode": account.livemode,
        "metadata": metadata_of(form),
    }
    return account.things.put(CUSTOMER, customer, owner=None, now_ms=now_ms)


def open_setup(account: Account, form: Form, turn: Turn) -> Json:
    """Answer POST /v1/checkout/sessions in setup mode."""
    customer = need(form, "customer")
    if account.things.get(CUSTOMER, customer) is None:
        raise missing("customer", customer, param="customer", status=400)
    inner = section(form, "setup_intent_data")
    words = section(section(form, "custom_text"), "submit")
    message = str(words.get("message", "Save a card"))
    session = new_id("cs_live" if account.livemode else "cs_test")
    try:
        account.platform.agreements.get(customer)
        raise invalid("The stand-in saves one card for a customer.", param="customer")
    except NotFoundError:
        row = account.platform.agreements.start(
            NewAgreement(
                number=session,
                parameters={},
                description=message,
                return_url=need(form, "success_url"),
                reference=customer,
                extra={
                    "session": session,
                    "client_reference_id": form.get("client_reference_id"),
                    "session_metadata": metadata_of(form),
                    "setup_metadata": metadata_of(inner),
                },
            ),
            turn.manner,
        )
    return setup_json(account, row)


def setup_json(account: Account, row: Json) -> Json:
    """Return a setup page."""
    url = account.platform.public_url
    return setup_page_json(row, livemode=account.livemode, public_url=url)


def save_card(account: Account, row: Json) -> Json:
    """Do what follows from a payer's confirmation: a card that belongs to the customer."""
    now_ms = account.platform.now_ms()
    card = {
        "id": new_id("pm"),
        "object": "payment_method",
        "card": {"brand": "visa", "last4": f"{secrets.randbelow(10_000):04d}"},
        "created": now_ms // 1000,
        "customer": row["reference"],
        "livemode": account.livemode,
        "metadata": {},
        "type": "card",
    }
    account.things.put(CARD, card, owner=row["reference"], now_ms=now_ms)
    return {"payment_method": card["id"], "setup_intent": new_id("seti")}


def list_setups(account: Account, form: Form) -> Json:
    """Answer GET /v1/setup_intents."""
    only(form, "customer", "limit", "starting_after", "expand", "created")
    customer = need(form, "customer")
    _require_customer(account, customer)
    found: list[Json] = []
    try:
        row = account.platform.agreements.get(customer)
    except NotFoundError:
        row = None
    if row is not None and "setup_intent" in row["extra"]:
        expand = "data.payment_method" in form.get("expand", [])
        card = account.things.get(CARD, row["extra"]["payment_method"]) if expand else None
        found.append(setup_intent_json(row, livemode=account.livemode, card=card))
    return page_of("/v1/setup_intents", form, found)


def setup_pages(account: Account, customer: str) -> list[Json]:
    """Return a customer's setup pages."""
    _require_customer(account, customer)
    try:
        return [setup_json(account, account.platform.agreements.get(customer))]
    except NotFoundError:
        return []


def update_card(account: Account, identity: str, form: Form) -> Json:
    """Answer POST /v1/payment_methods/{id}."""
    only(form, "metadata", "billing_details")
    card = card_of(account, identity)
    card["metadata"] = {**card["metadata"], **metadata_of(form)}
    now_ms = account.platform.now_ms()
    return account.things.put(CARD, card, owner=card["customer"], now_ms=now_ms)


def detach_card(account: Account, identity: str, form: Form) -> Json:
    """Answer POST /v1/payment_methods/{id}/detach; a card never comes back from it."""
    only(form)
    card = card_of(account, identity)
    customer = card["customer"]
    if customer is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is"
            " impossible.",
        )
    now_ms = account.platform.now_ms()
    card = account.things.put(CARD, {**card, "customer": None}, owner=None, now_ms=now_ms)
    account.platform.agreements.note(customer, {"card": card})
    account.platform.agreements.cancel(customer)
    return card


def card_of(account: Account, identity: str) -> Json:
    """Return a card.

    Raises:
        StripeRefusedError: there is none.
    """
    card = account.things.get(CARD, identity)
    if card is None:
        raise missing("PaymentMethod", identity, param="payment_method")
    return card


def _require_customer(account: Account, customer: str) -> None:
    if account.things.get(CUSTOMER, customer) is None:
        raise missing("customer", customer, param="customer", status=400)
