"""The official library itself against the stand-in: it believes that it speaks with Stripe."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe as official
from stripe.params import PaymentIntentCreateParams

from parking.payments.port import NoticeKind
from tests.contract.payment_script import charge_order
from tests.contract.payment_stages import eventually, new_number
from tests.contract.stripe_stage import StripeStage
from tests.factories.stand_ins import STRIPE_KEY, STRIPE_SECRETS

# The library's own way out uses an old form of httpx.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
async def library(stripe_stage: StripeStage) -> AsyncIterator[official.StripeClient]:
    """The library as its documentation shows it, but for the address."""
    http = official.HTTPXClient()  # pyright: ignore[reportUnknownMemberType]
    yield official.StripeClient(
        STRIPE_KEY,
        base_addresses={"api": stripe_stage.base_url},
        http_client=http,
        max_network_retries=2,
    )
    await http.close_async()  # pyright: ignore[reportUnknownMemberType]


async def customer_with_card(library: official.StripeClient, stage: StripeStage) -> tuple[str, str]:
    customer = await library.v1.customers.create_async({"metadata": {"sesame_number": "1"}})
    page = await library.v1.checkout.sessions.create_async(
        {
            "mode": "setup",
            "customer": customer.id,
            "allowed_payment_method_types": ["card"],
            "success_url": "https://app.parkside.example/",
        }
    )
    assert (page.status, page.setup_intent) == ("open", None)
    assert page.url is not None
    assert (await stage.client.post(page.url)).status_code == 303
    setups = await library.v1.setup_intents.list_async(
        {"customer": customer.id, "expand": ["data.payment_method"]}
    )
    [setup] = setups.data
    assert (setup.status, setup.usage) == ("succeeded", "off_session")
    card = setup.payment_method
    assert isinstance(card, official.PaymentMethod)
    assert card.customer == customer.id
    return customer.id, card.id


def charge_of(customer: str, card: str, amount: int = 1250) -> PaymentIntentCreateParams:
    return {
        "amount": amount,
        "currency": "eur",
        "customer": customer,
        "payment_method": card,
        "off_session": True,
        "confirm": True,
        "metadata": {"sesame_number": new_number(), "sesame_kind": "charge"},
    }


async def test_saves_a_card_charges_it_and_gives_back(
    library: official.StripeClient, stripe_stage: StripeStage
) -> None:
    customer, card = await customer_with_card(library, stripe_stage)

    paid = await library.v1.payment_intents.create_async(charge_of(customer, card))
    again = await library.v1.payment_intents.retrieve_async(paid.id)
    refund = await library.v1.refunds.create_async({"payment_intent": paid.id, "amount": 250})

    assert (paid.status, paid.amount_received, paid.currency) == ("succeeded", 1250, "eur")
    assert again.to_dict() == paid.to_dict()
    assert (refund.status, refund.amount, refund.payment_intent) == ("succeeded", 250, paid.id)
    with pytest.raises(official.InvalidRequestError) as caught:
        await library.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1001})
    refusal: Any = caught.value
    assert refusal.param == "amount"


async def test_a_key_is_one_call(library: official.StripeClient, stripe_stage: StripeStage) -> None:
    customer, card = await customer_with_card(library, stripe_stage)
    asked, key = charge_of(customer, card), new_number()
    before = await stripe_stage.captured("EUR")

    first = await library.v1.payment_intents.create_async(asked, {"idempotency_key": key})
    second = await library.v1.payment_intents.create_async(asked, {"idempotency_key": key})

    assert second.id == first.id
    answer: Any = second.last_response
    assert answer.headers["idempotent-replayed"] == "true"
    with pytest.raises(official.IdempotencyError):
        await library.v1.payment_intents.create_async(
            {**asked, "amount": 1300}, {"idempotency_key": key}
        )
    with pytest.raises(official.IdempotencyError):
        await library.v1.refunds.create_async(
            {"payment_intent": first.id}, {"idempotency_key": key}
        )
    assert await stripe_stage.captured("EUR") == before + 1250


async def test_retries_what_was_lost_with_the_same_key(
    library: official.StripeClient, stripe_stage: StripeStage
) -> None:
    customer, card = await customer_with_card(library, stripe_stage)
    before = await stripe_stage.captured("EUR")
    await stripe_stage.play("lose_answer_after")

    paid = await library.v1.payment_intents.create_async(charge_of(customer, card))

    assert paid.status == "succeeded"
    assert await stripe_stage.captured("EUR") == before + 1250


@pytest.mark.parametrize(
    ("failure_code", "code", "decline_code"),
    [
        ("declined", "card_declined", "generic_decline"),
        ("authentication_required", "authentication_required", "authentication_required"),
    ],
)
async def test_a_declined_card_is_an_error_with_its_intent(
    library: official.StripeClient,
    stripe_stage: StripeStage,
    failure_code: str,
    code: str,
    decline_code: str,
) -> None:
    customer, card = await customer_with_card(library, stripe_stage)
    await stripe_stage.control(scenario="decline", failure_code=failure_code)

    with pytest.raises(official.CardError) as caught:
        await library.v1.payment_intents.create_async(charge_of(customer, card))

    error = caught.value.error
    assert error is not None
    assert (caught.value.code, error.decline_code, error.advice_code) == (
        code,
        decline_code,
        "try_again_later",
    )
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    ended = await library.v1.payment_intents.cancel_async(error.payment_intent.id)
    assert ended.status == "canceled"


async def test_lists_come_in_pages(
    library: official.StripeClient, stripe_stage: StripeStage
) -> None:
    customer, card = await customer_with_card(library, stripe_stage)
    made = [
        (await library.v1.payment_intents.create_async(charge_of(customer, card))).id
        for _ in range(5)
    ]

    first = await library.v1.payment_intents.list_async({"customer": customer, "limit": 2})
    found = [intent.id async for intent in first.auto_paging_iter()]

    assert (len(first.data), first.has_more) == (2, True)
    assert found == made[::-1]


async def test_refuses_what_stripe_refuses(
    library: official.StripeClient, stripe_stage: StripeStage
) -> None:
    customer, card = await customer_with_card(library, stripe_stage)
    removed: Any = {**charge_of(customer, card), "payment_method_types": ["card"]}
    refused: tuple[tuple[Any, str | None], ...] = (
        (removed, "payment_method_types_no_longer_supported"),
        ({**charge_of(customer, card), "currency": "kwd", "amount": 5124}, None),
        (charge_of(customer, "pm_nobody"), "resource_missing"),
        (charge_of(customer, card, 0), "amount_too_small"),
    )
    for wrong, code in refused:
        asked: Any = wrong
        with pytest.raises(official.InvalidRequestError) as caught:
            await library.v1.payment_intents.create_async(asked)
        assert code in {None, caught.value.code}
    stranger = official.StripeClient(
        "sk_test_stranger",
        base_addresses={"api": stripe_stage.base_url},
        http_client=library._requestor._get_http_client(),  # pyright: ignore[reportPrivateUsage]
    )
    with pytest.raises(official.AuthenticationError):
        await stranger.v1.payment_intents.list_async()


async def test_believes_the_events_and_not_the_probes(
    library: official.StripeClient, stripe_stage: StripeStage
) -> None:
    await stripe_stage.play("bad_signature_probe")
    order = await charge_order(stripe_stage)
    await stripe_stage.provider.charge(order)
    told = await stripe_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)

    event = library.construct_event(told.body, told.headers["stripe-signature"], STRIPE_SECRETS[0])

    assert (event.type, event.livemode) == ("payment_intent.succeeded", False)
    assert event.data.object["metadata"]["sesame_number"] == order.number

    async def refused() -> bool | None:
        probes = [one for one in stripe_stage.receiver.deliveries if one.refused == "signature"]
        return bool(probes) or None

    assert await eventually(refused)
    [probe, *_] = [one for one in stripe_stage.receiver.deliveries if one.refused]
    with pytest.raises(official.SignatureVerificationError):
        library.construct_event(probe.body, probe.headers["stripe-signature"], STRIPE_SECRETS[0])


async def test_disputes_and_balance(
    library: official.StripeClient, stripe_stage: StripeStage
) -> None:
    customer, card = await customer_with_card(library, stripe_stage)
    asked = charge_of(customer, card)
    paid = await library.v1.payment_intents.create_async(asked)
    metadata = paid.metadata
    assert metadata is not None
    number = metadata["sesame_number"]
    await stripe_stage.control(chargeback={"number": number, "reason": "product_not_received"})

    with pytest.raises(official.InvalidRequestError) as caught:
        await library.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1})
    moved = await library.v1.balance_transactions.list_async(
        {"limit": 100, "expand": ["data.source"]}
    )

    assert caught.value.code == "charge_disputed"
    mine = [
        (item.reporting_category, item.amount, item.fee)
        for item in moved.data
        if isinstance(item.source, official.Charge | official.Dispute)
        and item.source.payment_intent == paid.id
    ]
    assert sorted(mine) == [("charge", 1250, 18), ("dispute", -1250, 0)]
