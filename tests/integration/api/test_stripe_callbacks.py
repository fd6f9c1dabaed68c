"""Stripe's events over HTTP: genuine ones once, everything else refused with nothing moved."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import structlog.testing

from parking.flows.pay_link import pay_token
from parking.payments.providers.stripe import StripeProvider, StripeSettings
from parking.payments.providers.stripe.notices import BODY_BYTES_MAX
from sesame.sandbox.stripe.notices import sign
from tests.factories.api import ApiWorld
from tests.integration.api.hostile_posts import refuse_all

PATH = "/callbacks/stripe"
SECRET = "whsec_parkside"
STRANGER = "whsec_somebody_else"
INTENT = "pi_3OqbTm2eZvKYlo2C"
TAKEN = (200, b'{"received": true}')
REFUSED = (400, b'{"code": "PAYMENT_NOTICE_REFUSED"}')


@dataclass(frozen=True, slots=True)
class Town:
    """A stay with an unpaid bill whose payment page is Stripe's."""

    api: ApiWorld
    number: str

    def event(self, **changed: object) -> dict[str, Any]:
        return {
            "id": "evt_1",
            "object": "event",
            "created": self.seconds(),
            "livemode": False,
            "type": "payment_intent.succeeded",
            "data": {"object": self.intent()},
            **changed,
        }

    def intent(self, **changed: object) -> dict[str, Any]:
        return {
            "id": INTENT,
            "object": "payment_intent",
            "amount": 1000,
            "amount_received": 1000,
            "currency": "cny",
            "livemode": False,
            "metadata": {"sesame_number": self.number, "sesame_kind": "checkout"},
            "status": "succeeded",
            **changed,
        }

    def dispute(self, kind: str, status: str, **changed: object) -> dict[str, Any]:
        dispute: dict[str, Any] = {
            "id": "du_1",
            "object": "dispute",
            "amount": 1000,
            "charge": "ch_1",
            "currency": "cny",
            "livemode": False,
            "payment_intent": INTENT,
            "reason": "fraudulent",
            "status": status,
            **changed,
        }
        return self.event(id=f"evt_{kind}_{status}", type=kind, data={"object": dispute})

    def seconds(self, age_s: int = 0) -> int:
        return int(self.api.lanes.clock.now().timestamp()) - age_s

    def signed(
        self, event: dict[str, Any], *, secret: str = SECRET, age_s: int = 0
    ) -> tuple[bytes, str]:
        body = json.dumps(event).encode()
        return body, sign((secret,), self.seconds(age_s), body)

    async def post(self, content: bytes, signature: str | None = None) -> tuple[int, bytes]:
        headers = {"content-type": "application/json"}
        if signature is not None:
            headers["stripe-signature"] = signature
        answer = await self.api.http.post(PATH, content=content, headers=headers)
        return answer.status_code, answer.content

    async def tell(self, event: dict[str, Any]) -> tuple[int, bytes]:
        return await self.post(*self.signed(event))

    async def standing(self) -> tuple[object, ...]:
        """Return everything that money could have moved."""
        lanes = self.api.lanes
        return (
            await lanes.rows("SELECT state, provider_reference FROM payment_attempts"),
            await lanes.rows("SELECT version, state, paid_at FROM bills ORDER BY version"),
            await lanes.count("ledger_transfers"),
            await lanes.count("gate_commands"),
            await lanes.count("chargebacks"),
        )


@pytest.fixture
async def town(api: ApiWorld) -> AsyncGenerator[Town]:
    adapter = StripeProvider(
        StripeSettings(secret_key="sk_test_parkside", webhook_secrets=(SECRET,)), api.lanes.clock
    )
    providers = api.lanes.context.providers
    assert isinstance(providers, dict)
    providers["stripe"] = adapter
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    [row] = await api.lanes.rows("SELECT operator_id, id FROM sessions")
    token = pay_token(api.lanes.context.vault, row["operator_id"], row["id"])
    assert (await api.http.post(f"/pay/{token}")).status_code == 303
    await api.lanes.rows_changed("UPDATE payment_attempts SET provider = 'stripe'")
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts")
    yield Town(api, attempt["number"])
    await adapter.aclose()


async def test_a_genuine_event_pays_once(town: Town) -> None:
    assert await town.tell(town.event()) == TAKEN
    after = await town.standing()
    # A copy, and the same news under another id: both are taken, and change nothing.
    assert await town.tell(town.event()) == TAKEN
    assert await town.tell(town.event(id="evt_2")) == TAKEN

    assert after[0] == [{"state": "succeeded", "provider_reference": INTENT}]
    assert await town.standing() == after
    balances = await town.api.lanes.balances()
    assert balances["provider:stripe", "CNY"] == 1000
    assert sum(balances.values()) == 0


async def test_what_is_not_stripes_moves_nothing(town: Town) -> None:
    genuine, signature = town.signed(town.event())
    before = await town.standing()
    hostile = hostile_posts(town, genuine, signature)
    posts = {name: partial(town.post, *post) for name, post in hostile.items()}
    await refuse_all(town, "stripe", posts, REFUSED, SECRET)
    assert (await town.post(b"x" * (BODY_BYTES_MAX + 1), signature))[0] == 413
    assert await town.standing() == before
    # And after all of that the genuine one is still taken.
    assert await town.post(genuine, signature) == TAKEN


def hostile_posts(
    town: Town, genuine: bytes, signature: str
) -> dict[str, tuple[bytes, str | None]]:
    """Return what an attacker, who can read one genuine event, may send."""
    mark = signature.partition("v1=")[2].partition(",")[0]
    stamp = f"t={town.seconds()}"
    return {
        "forged": town.signed(town.event(), secret=STRANGER),
        "unsigned": (genuine, None),
        "empty signature": (genuine, ""),
        "stale": town.signed(town.event(), age_s=301),
        "from the future": town.signed(town.event(), age_s=-301),
        "genuine signature with a fresh time": (genuine, f"t={town.seconds(-1)},v1={mark}"),
        "two times": (genuine, f"t={town.seconds()},{signature}"),
        "only the scheme for tests": (genuine, f"{stamp},v0={mark}"),
        "another scheme's name": (genuine, f"{stamp},v2={mark}"),
        "cut signature": (genuine, f"{stamp},v1={mark[:-1]}"),
        "many signatures": (genuine, stamp + f",v1={'0' * 64}" * 30),
        "very long header": (genuine, stamp + "," + "x" * 5000),
        "amount changed": (genuine.replace(b"1000", b"1"), signature),
        "another order": (genuine.replace(town.number.encode(), b"0" * 32), signature),
        "space added": (genuine + b" ", signature),
        "cut": (genuine[:-1], signature),
        "nothing": (b"", signature),
        "live-mode event": town.signed(town.event(livemode=True)),
        "another account's event": town.signed(town.event(account="acct_other")),
        "no event": town.signed({"object": "list"}),
        "no id": town.signed(town.event(id="")),
        "no object": town.signed(town.event(data={})),
        "two things at once": town.signed(
            town.event(data={"object": town.intent(status="canceled")})
        ),
        "less received": town.signed(town.event(data={"object": town.intent(amount_received=1)})),
        "negative": town.signed(town.event(data={"object": town.intent(amount=-1000)})),
        "a float": town.signed(town.event(data={"object": town.intent(amount=1000.0)})),
        "a text": town.signed(town.event(data={"object": town.intent(amount="1000")})),
        "no currency": town.signed(town.event(data={"object": town.intent(currency="x")})),
        "a bare word": (b"success", sign((SECRET,), town.seconds(), b"success")),
        "bytes": (bytes(range(256)), sign((SECRET,), town.seconds(), bytes(range(256)))),
        "deep": (b"[" * 5000, sign((SECRET,), town.seconds(), b"[" * 5000)),
    }


async def test_genuine_news_of_another_amount_is_for_staff(town: Town) -> None:
    before = await town.standing()
    more = town.intent(amount=1001, amount_received=1001)
    with structlog.testing.capture_logs() as logs:
        # Verified and impossible: repeating it cannot help, so Stripe is told to stop.
        assert await town.tell(town.event(data={"object": more})) == TAKEN
    assert "notice.impossible" in [entry["event"] for entry in logs]
    assert (await town.standing())[1:] == before[1:]


async def test_genuine_news_of_others_is_taken_and_ignored(town: Town) -> None:
    before = await town.standing()
    foreign = town.intent(metadata={"shop": "1"})
    assert await town.tell(town.event(data={"object": foreign})) == TAKEN
    assert await town.tell(town.event(id="evt_2", type="customer.updated")) == TAKEN
    unknown = town.intent(metadata={"sesame_number": "0" * 32, "sesame_kind": "charge"})
    assert await town.tell(town.event(id="evt_3", data={"object": unknown})) == TAKEN
    assert await town.standing() == before


async def test_another_providers_order_is_not_stripes(town: Town) -> None:
    await town.api.lanes.rows_changed("UPDATE payment_attempts SET provider = 'fake'")
    before = await town.standing()
    assert await town.tell(town.event()) == TAKEN
    assert await town.standing() == before


async def test_a_dispute_is_a_chargeback_once_and_an_inquiry_is_none(town: Town) -> None:
    await town.tell(town.event())
    paid = await town.standing()
    inquiry = town.dispute("charge.dispute.created", "warning_needs_response")
    assert await town.tell(inquiry) == TAKEN
    assert await town.standing() == paid

    for kind, status in (
        ("charge.dispute.created", "needs_response"),
        ("charge.dispute.funds_withdrawn", "needs_response"),
        ("charge.dispute.updated", "under_review"),
        ("charge.dispute.closed", "lost"),
    ):
        assert await town.tell(town.dispute(kind, status)) == TAKEN

    balances = await town.api.lanes.balances()
    assert balances["provider:stripe", "CNY"] == 0
    assert balances["receivable", "CNY"] == 1000
    [row] = await town.api.lanes.rows("SELECT status, amount_minor FROM chargebacks")
    assert dict(row) == {"status": "lost", "amount_minor": 1000}


async def test_a_dispute_that_overtakes_the_payment_comes_again(town: Town) -> None:
    await town.api.lanes.rows_changed(
        "UPDATE payment_attempts SET provider_reference = :reference", reference=INTENT
    )
    before = await town.standing()
    dispute = town.dispute("charge.dispute.created", "needs_response")

    assert (await town.tell(dispute))[0] == 503
    assert await town.standing() == before
    assert await town.tell(town.event()) == TAKEN
    assert await town.tell(dispute) == TAKEN

    assert await town.api.lanes.count("chargebacks") == 1


async def test_a_dispute_over_more_than_was_paid_moves_nothing(town: Town) -> None:
    await town.tell(town.event())
    paid = await town.standing()
    too_much = town.dispute("charge.dispute.created", "needs_response", amount=1001)
    with structlog.testing.capture_logs() as logs:
        assert await town.tell(too_much) == TAKEN
    assert "notice.impossible" in [entry["event"] for entry in logs]
    assert await town.standing() == paid
