"""The ETC acquirer's notices over HTTP: genuine ones once, others refused with nothing moved."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import structlog.testing

from parking.flows.pay_link import pay_token
from parking.payments.providers.etc import EtcProvider
from parking.payments.signed_wire import SignedWireSettings
from sesame.sandbox.etc.signing import SCHEME, load_etc_platform_key, new_etc_private_pem
from sesame.sandbox.signed_wire import PlatformKey
from tests.factories.api import ApiWorld
from tests.integration.api.hostile_posts import refuse_all

MERCHANT = "parkside"
PATH = "/callbacks/etc"
HEADER = "sesame-etc-signature"
ETC = load_etc_platform_key(new_etc_private_pem())
STRANGER = load_etc_platform_key(new_etc_private_pem())
REFUSED = (401, b'{"code":"PAYMENT_NOTICE_REFUSED"}')
NONCE = "0" * 32


@dataclass(frozen=True, slots=True)
class Town:
    """A stay with an unpaid bill that the acquirer was asked to take."""

    api: ApiWorld
    number: str

    def notice(self, **changed: object) -> dict[str, Any]:
        return {
            "id": "ntc_1",
            "type": "deduction.succeeded",
            "occurred_at": "2026-11-27T08:00:00Z",
            "data": self.deduction(),
            **changed,
        }

    def deduction(self, **changed: object) -> dict[str, Any]:
        return {
            "number": self.number,
            "status": "succeeded",
            "failure_code": None,
            "trade_number": "trd_51c0",
            "amount_minor": 1000,
            "currency": "CNY",
            "guaranteed": False,
            **changed,
        }

    def signed(
        self,
        notice: dict[str, Any],
        *,
        key: PlatformKey = ETC,
        age_s: int = 0,
        merchant: str = MERCHANT,
    ) -> tuple[bytes, str]:
        body = json.dumps(notice).encode()
        now_s = int(self.api.lanes.clock.now().timestamp())
        return body, SCHEME.notice_header(key, merchant, (now_s - age_s, NONCE), body)

    async def post(self, content: bytes, signature: str | None = None) -> tuple[int, bytes]:
        headers = {"content-type": "application/json"}
        if signature is not None:
            headers[HEADER] = signature
        answer = await self.api.http.post(PATH, content=content, headers=headers)
        return answer.status_code, answer.content

    async def standing(self) -> tuple[object, ...]:
        """Return everything that money could have moved."""
        lanes = self.api.lanes
        return (
            await lanes.rows("SELECT state, provider_reference FROM payment_attempts"),
            await lanes.rows("SELECT state, paid_at FROM bills"),
            await lanes.count("ledger_transfers"),
            await lanes.count("gate_commands"),
        )


@pytest.fixture
async def town(api: ApiWorld) -> AsyncGenerator[Town]:
    adapter = EtcProvider(
        SignedWireSettings(
            base_url="http://127.0.0.1:1",
            merchant=MERCHANT,
            merchant_key_pem=new_etc_private_pem().decode(),
            platform_keys_pem=ETC.public_pem,
        ),
        api.lanes.clock,
    )
    providers = api.lanes.context.providers
    assert isinstance(providers, dict)
    providers["etc"] = adapter
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    [row] = await api.lanes.rows("SELECT operator_id, id FROM sessions")
    token = pay_token(api.lanes.context.vault, row["operator_id"], row["id"])
    assert (await api.http.post(f"/pay/{token}")).status_code == 303
    await api.lanes.rows_changed("UPDATE payment_attempts SET provider = 'etc'")
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts")
    yield Town(api, attempt["number"])
    await adapter.aclose()


async def test_a_genuine_notice_pays_once(town: Town) -> None:
    paid = town.signed(town.notice())
    assert await town.post(*paid) == (204, b"")
    after = await town.standing()
    # A copy, and the same news under another id: both are taken, and change nothing.
    assert await town.post(*paid) == (204, b"")
    assert await town.post(*town.signed(town.notice(id="ntc_2"))) == (204, b"")

    assert after[0] == [{"state": "succeeded", "provider_reference": "trd_51c0"}]
    assert await town.standing() == after
    balances = await town.api.lanes.balances()
    assert balances["provider:etc", "CNY"] == 1000
    assert sum(balances.values()) == 0


async def test_what_is_not_the_acquirers_moves_nothing(town: Town) -> None:
    genuine, signature = town.signed(town.notice())
    before = await town.standing()
    hostile = _hostile(town, genuine, signature)
    posts = {name: partial(town.post, *post) for name, post in hostile.items()}
    await refuse_all(town, "etc", posts, REFUSED)
    assert (await town.post(b"x" * 70_000, signature))[0] == 413
    assert await town.standing() == before
    # And after all of that the genuine one is still taken.
    assert await town.post(genuine, signature) == (204, b"")


def _hostile(town: Town, genuine: bytes, signature: str) -> dict[str, tuple[bytes, str | None]]:
    """Return what an attacker, who can read one genuine notice, may send."""
    now_s = int(town.api.lanes.clock.now().timestamp())
    answer = SCHEME.answer_header(ETC, MERCHANT, (now_s, NONCE), (200, NONCE, genuine))
    named = SCHEME.notice_header(STRANGER, MERCHANT, (now_s, NONCE), genuine)
    return {
        "forged": town.signed(town.notice(), key=STRANGER),
        "forged in our key's name": (genuine, named.replace(STRANGER.key_id, ETC.key_id)),
        "unsigned": (genuine, None),
        "an empty signature": (genuine, ""),
        "a malformed signature": (genuine, signature + ";x=y"),
        "another body": (genuine.replace(b"1000", b"1"), signature),
        "a byte more": (genuine + b" ", signature),
        "an answer's signature": (genuine, answer),
        "another merchant's": town.signed(town.notice(), merchant="another"),
        "replayed later": town.signed(town.notice(), age_s=301),
        "of the future": town.signed(town.notice(), age_s=-301),
        "another time": (genuine, signature.replace("time=1", "time=2", 1)),
        "no notice": town.signed({}),
        "two stories": town.signed(town.notice(type="deduction.failed")),
        "an amount with a fraction": town.signed(
            town.notice(data=town.deduction(amount_minor=1000.5))
        ),
        "a negative amount": town.signed(town.notice(data=town.deduction(amount_minor=-1000))),
        "another currency": town.signed(town.notice(data=town.deduction(currency="EUR"))),
    }


async def test_genuine_news_of_another_amount_is_for_staff(town: Town) -> None:
    before = await town.standing()
    with structlog.testing.capture_logs() as logs:
        news = town.signed(town.notice(data=town.deduction(amount_minor=999)))
        assert (await town.post(*news))[0] == 422
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert await town.standing() == before


async def test_genuine_news_of_others_is_taken_and_ignored(town: Town) -> None:
    before = await town.standing()
    for notice in (
        town.notice(data=town.deduction(number="T1")),
        town.notice(
            id="ntc_3",
            type="contract.cancelled",
            data={"reference": "ctr_nobody", "status": "cancelled", "plate": "京A12345"},
        ),
    ):
        assert await town.post(*town.signed(notice)) == (204, b"")
    assert await town.standing() == before
