"""GoCardless' webhooks over HTTP: genuine ones once, others refused with nothing moved."""

import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import structlog.testing

from api import callbacks
from parking.flows.context import ParkingContext
from parking.payments.port import Notice
from parking.payments.providers.gocardless import GoCardlessProvider, GoCardlessSettings
from tests.factories.api import ApiWorld
from tests.integration.api.hostile_posts import refuse_all

PATH = "/callbacks/gocardless"
SECRET = "the secret of parkside's endpoint"
STRANGER = "somebody else's secret"
PAYMENT = "PM0001"
TAKEN = (204, b"")
REFUSED = (498, b'{"code":"PAYMENT_NOTICE_REFUSED"}')
Hostile = dict[str, tuple[bytes, str | None]]


@dataclass(frozen=True, slots=True)
class Town:
    """A stay whose bill is paid by a debit, as far as anybody knows."""

    api: ApiWorld
    number: str

    def event(self, action: str = "charged_back", **changed: object) -> dict[str, Any]:
        return {
            "id": f"EV_{action}",
            "created_at": "2026-11-27T08:00:00.000Z",
            "resource_type": "payments",
            "action": action,
            "details": {"origin": "bank", "cause": "refer_to_payer"},
            "links": {"payment": PAYMENT},
            "resource_metadata": self.metadata(),
            **changed,
        }

    def metadata(self, **changed: str) -> dict[str, str]:
        return {"number": self.number, "amount_minor": "1000", "currency": "CNY", **changed}

    async def post(self, content: bytes, signature: str | None = None) -> tuple[int, bytes]:
        headers = {"content-type": "application/json"}
        if signature is not None:
            headers["webhook-signature"] = signature
        answer = await self.api.http.post(PATH, content=content, headers=headers)
        return answer.status_code, answer.content

    async def tell(self, *events: dict[str, Any]) -> tuple[int, bytes]:
        return await self.post(*signed({"events": events}))

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


def signed(content: object, *, secret: str = SECRET) -> tuple[bytes, str]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return body, hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture
async def town(api: ApiWorld) -> AsyncGenerator[Town]:
    adapter = GoCardlessProvider(
        GoCardlessSettings(
            base_url="http://127.0.0.1:1", access_token="token", webhook_secret=SECRET
        ),
        api.lanes.clock,
    )
    lanes = api.lanes
    providers = lanes.context.providers
    assert isinstance(providers, dict)
    await lanes.permit(await lanes.add_driver())
    await lanes.drive_in()
    lanes.wait(minutes=45)
    assert (await lanes.drive_out()).reason == "paid"
    providers["gocardless"] = adapter
    await lanes.rows_changed(
        f"UPDATE payment_attempts SET provider = 'gocardless', provider_reference = '{PAYMENT}'"  # noqa: S608 - a constant
    )
    [attempt] = await lanes.rows("SELECT number FROM payment_attempts")
    yield Town(api, attempt["number"])
    await adapter.aclose()


async def test_what_the_bank_takes_back_is_booked_once(town: Town) -> None:
    assert await town.tell(town.event(), town.event("created"), town.event("invented")) == TAKEN
    after = await town.standing()
    # A copy, and the same news under another id: both are taken, and change nothing.
    assert await town.tell(town.event()) == TAKEN
    assert await town.tell(town.event(id="EV_again")) == TAKEN

    assert after[4] == 1
    assert await town.standing() == after
    assert sum((await town.api.lanes.balances()).values()) == 0


async def test_an_event_that_we_cannot_follow_does_not_keep_the_others(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = callbacks.receive_notice

    async def fail(context: ParkingContext, name: str, notice: Notice) -> None:
        if notice.notice_id == "EV_defect":
            raise RuntimeError("a defect of ours")
        await follow(context, name, notice)

    monkeypatch.setattr(callbacks, "receive_notice", fail)
    told = await town.tell(town.event(id="EV_\x00"), town.event(id="EV_defect"), town.event())
    # It comes again, as a whole.
    assert told[0] == 503
    assert (await town.standing())[4] == 1


async def test_what_is_not_gocardless_moves_nothing(town: Town) -> None:
    genuine, signature = signed({"events": [town.event()]})
    before = await town.standing()
    hostile: Hostile = {
        "forged": signed(genuine, secret=STRANGER),
        "unsigned": (genuine, None),
        "an empty signature": (genuine, ""),
        "half a signature": (genuine, signature[:32]),
        "another hash": (genuine, hashlib.sha256(genuine).hexdigest()),
        "another body": (genuine.replace(b"1000", b"2000"), signature),
        "a byte more": (genuine + b"\n", signature),
        "no body": (b"", signature),
        "no JSON": signed(b"{"),
        "no events": signed({}),
        "events that are none": signed({"events": [{"id": "EV1"}]}),
        "too many events": signed({"events": [town.event()] * 251}),
    }
    posts = {name: partial(town.post, *post) for name, post in hostile.items()}
    await refuse_all(town, "gocardless", posts, REFUSED, SECRET)
    assert (await town.post(b"x" * 600_000, signature))[0] == 413
    assert await town.standing() == before
    # And after all of that the genuine one is still taken.
    assert await town.post(genuine, signature) == TAKEN


async def test_a_delivery_may_be_longer_than_other_requests(town: Town) -> None:
    others = [town.event("created", id=f"EV{index}") for index in range(249)]
    content, signature = signed({"events": [*others, town.event()]})
    assert len(content) > 64 * 1024
    assert await town.post(content, signature) == TAKEN
    assert await town.api.lanes.count("chargebacks") == 1


async def test_genuine_news_that_cannot_be_true_is_for_staff(town: Town) -> None:
    before = await town.standing()
    news = town.event(resource_metadata=town.metadata(amount_minor="1001"))
    with structlog.testing.capture_logs() as logs:
        assert await town.tell(news) == TAKEN
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert await town.standing() == before


async def test_genuine_news_of_others_is_taken_and_ignored(town: Town) -> None:
    before = await town.standing()
    assert (
        await town.tell(
            town.event(resource_metadata={}),
            town.event(id="EV2", resource_metadata=town.metadata(number="T1")),
            town.event(id="EV3", resource_type="payouts", links={}),
        )
        == TAKEN
    )
    assert await town.standing() == before


async def test_an_agreement_that_cannot_be_asked_about_is_told_again(town: Town) -> None:
    before = await town.standing()
    ended = town.event(
        "cancelled", resource_type="mandates", links={"mandate": "MD1"}, resource_metadata={}
    )
    assert (await town.tell(ended))[0] == 503
    assert await town.standing() == before
