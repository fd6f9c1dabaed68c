"""A car leaves a lane over WeChat Pay: the domain, the adapter and the stand-in together."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from parking.flows.context import ParkingContext
from parking.flows.lane import LaneFlows
from parking.flows.payments import announcing, charging, mandates, notices, settlement
from parking.flows.payments.mandates import MandateView, Wish
from parking.payments.models import MandateState
from parking.payments.port import PaymentProvider, StayDetails, StayListener
from parking.payments.providers.wechat import WechatProvider
from tests.contract.payment_stages import NoticeReceiver, eventually
from tests.contract.running import running
from tests.factories import stand_ins
from tests.factories.lane_world import PLATE, LaneWorld, open_lane_world

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


@dataclass(frozen=True, slots=True)
class Street:
    """A place whose drivers pay with WeChat; both have the same clock."""

    world: LaneWorld
    receiver: NoticeReceiver
    url: str
    client: httpx.AsyncClient
    provider: PaymentProvider

    @property
    def context(self) -> ParkingContext:
        return self.world.context

    async def control(self, **wish: object) -> None:
        (await self.client.post(f"{self.url}/_control", json=wish)).raise_for_status()

    async def books(self) -> dict[str, Any]:
        return (await self.client.get(f"{self.url}/_books")).json()

    async def allow(self) -> tuple[UUID, MandateView]:
        """Let a driver allow WeChat to pay for the plate, confirmed on both sides."""
        driver_id = await self.world.add_driver()
        [row] = await self.world.rows("SELECT binding_id FROM driver_plates")
        wish = Wish(provider="wechat", binding_id=row["binding_id"], payer_id=OPENID)
        begun = await mandates.authorize(self.context, driver_id, wish)
        assert begun.confirmation_url is not None
        assert (await self.client.post(begun.confirmation_url)).status_code == 303
        digest = begun.terms.digest(self.context.vault, "en")
        await mandates.confirm(self.context, driver_id, begun.id, digest)
        # WeChat Pay tells nobody that a service was opened: it has to be asked.
        assert await mandates.sweep(self.context) == 1
        view = await mandates.find_mandate(self.context, driver_id, begun.id)
        assert view is not None
        assert view.state is MandateState.ACTIVE
        return driver_id, view

    async def leave(self) -> str | None:
        await self.world.drive_in()
        self.world.wait(minutes=45)
        return (await self.world.drive_out()).reason

    async def take_notices(self, count: int) -> list[str]:
        """Hand the domain what came; returns the kinds."""
        found = await self.receiver.wait_for(lambda told: bool(told.notices), count)
        for told in found:
            for notice in told.notices:
                await notices.receive_notice(self.context, "wechat", notice)
        return [notice.kind for told in found for notice in told.notices]


@pytest.fixture
async def street(
    database_url: str,
    valkey_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Street]:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))
    async with open_lane_world(database_url, valkey_url) as fake:
        build = partial(stand_ins.wechat, is_advance_funded=getattr(request, "param", False))
        with running(tmp_path, build, fake.clock) as stand_in:
            provider = WechatProvider(stand_in.settings, fake.clock)
            stand_in.receiver.provider = provider
            context = replace(
                fake.context, providers={"wechat": provider}, checkout_provider="wechat"
            )
            world = replace(fake, context=context, gate=LaneFlows(context))
            async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
                street = Street(world, stand_in.receiver, stand_in.url, client, provider)
                await street.control(notice_retry_ms=20)
                yield street
            await provider.aclose()


async def test_a_driver_leaves_without_stopping(street: Street) -> None:
    await street.allow()

    assert await street.leave() == "paid"

    [order] = (await street.books())["orders"]
    assert (order["amount_minor"], order["status"]) == (1000, "succeeded")
    assert order["extra"]["parking_info"]["plate_number"] == PLATE
    balances = await street.world.balances()
    assert balances["provider:wechat", "CNY"] == 1000
    assert sum(balances.values()) == 0
    # Neither the plate nor the page that names it lies in the clear.
    for table in ("mandates", "payment_attempts", "provider_orders"):
        for row in await street.world.rows(f"SELECT {table}::text AS text FROM {table}"):  # noqa: S608
            assert PLATE not in row["text"]
            assert "auth-creditpay" not in row["text"]


async def test_a_service_paused_is_not_charged_and_closed_ends_the_mandate(street: Street) -> None:
    driver_id, view = await street.allow()
    await street.control(service={"plate": PLATE, "state": "paused"})

    assert await street.leave() != "paid"
    [attempt] = await street.world.rows("SELECT state, failure_code FROM payment_attempts")
    await street.control(service={"plate": PLATE, "state": "closed"})
    kinds = await street.take_notices(1)
    ended = await mandates.find_mandate(street.context, driver_id, view.id)

    assert attempt == {"state": "failed", "failure_code": "agreement_inactive"}
    assert (await street.books())["orders"] == []
    assert ("provider:wechat", "CNY") not in await street.world.balances()
    assert kinds == ["agreement.cancelled"]
    assert ended is not None
    assert ended.state is MandateState.REVOKED


async def test_a_car_that_was_told_of_is_charged_by_its_newest_entry(street: Street) -> None:
    await street.allow()
    await street.world.drive_in()
    assert await announcing.sweep(street.context) == 1
    [row] = await street.world.rows("SELECT reference, session_id FROM stay_announcements")
    street.world.wait(minutes=45)
    assert (await street.world.drive_out()).reason == "paid"
    [first] = (await street.books())["orders"]
    assert first["extra"]["parking_info"]["parking_id"] == row["reference"]

    # The next stay's entry is not valid any more when it is charged: another place told of the car.
    street.world.wait(hours=1)
    await street.world.drive_in()
    await announcing.sweep(street.context)
    [mandate] = await street.world.rows("SELECT agreement_reference FROM mandates")
    elsewhere = StayDetails(
        number="elsewhere",
        plate=PLATE,
        place_id=UUID(int=2),
        place_name="Elsewhere",
        entered_at=street.context.clock.now(),
    )
    assert isinstance(street.provider, StayListener)
    await street.provider.announce_stay(mandate["agreement_reference"], elsewhere)
    street.world.wait(minutes=45)

    assert (await street.world.drive_out()).reason == "paid"

    orders = (await street.books())["orders"]
    assert [order["amount_minor"] for order in orders] == [1000, 1000]
    references = await street.world.rows("SELECT reference FROM stay_announcements")
    used = {order["extra"]["parking_info"]["parking_id"] for order in orders}
    assert len(used) == 2
    assert used & {one["reference"] for one in references} == {row["reference"]}


async def test_a_service_paused_after_the_entry_is_not_charged(street: Street) -> None:
    await street.allow()
    await street.world.drive_in()
    await announcing.sweep(street.context)
    await street.control(service={"plate": PLATE, "state": "paused"})
    street.world.wait(minutes=45)

    assert (await street.world.drive_out()).reason == "payment_due"

    [attempt] = await street.world.rows("SELECT state, failure_code FROM payment_attempts")
    assert attempt == {"state": "failed", "failure_code": "agreement_inactive"}
    assert (await street.books())["orders"] == []


async def test_a_revoked_mandate_is_charged_no_more_and_nobody_is_asked(street: Street) -> None:
    driver_id, view = await street.allow()
    await mandates.revoke(street.context, driver_id, view.id)

    assert await street.leave() != "paid"

    assert (await street.books())["orders"] == []
    # The service is still open in WeChat, where only the payer can close it.
    assert await street.world.rows("SELECT cancel_due_at FROM mandates") == [
        {"cancel_due_at": None}
    ]
    assert [one["status"] for one in (await street.books())["agreements"]] == ["active"]


async def test_what_got_lost_is_charged_once(street: Street) -> None:
    await street.allow()
    await street.control(scenario="lose_answer_after", operation="charge")
    await street.leave()
    street.world.wait(minutes=5)
    await settlement.sweep(street.context)

    [order] = (await street.books())["orders"]
    assert (order["amount_minor"], order["status"]) == (1000, "succeeded")
    assert (await street.world.balances())["provider:wechat", "CNY"] == 1000


@pytest.mark.parametrize("street", [True], indirect=True, ids=["advance_funded"])
async def test_an_advance_opens_the_gate_at_once_and_is_repaid_later(street: Street) -> None:
    await street.allow()
    await street.control(scenario="accept_guaranteed", operation="charge", delay_ms=60_000)

    reason = await street.leave()
    [attempt] = await street.world.rows("SELECT number, state FROM payment_attempts")
    street.world.wait(minutes=2)
    # Wakes the stand-in: its clock was moved.
    await street.control(notice_retry_ms=20)
    assert await street.take_notices(1) == ["charge.succeeded"]
    [settled] = await street.world.rows("SELECT state, advance FROM payment_attempts")
    await street.control(repay={"number": attempt["number"]})

    async def repaid() -> list[str] | None:
        kinds = await street.take_notices(2)
        return kinds if "payer.repaid" in kinds else None

    assert await eventually(repaid)
    assert (reason, attempt["state"]) == ("guaranteed", "accepted")
    assert settled == {"state": "succeeded", "advance": "outstanding"}
    assert await street.world.rows("SELECT advance FROM payment_attempts") == [
        {"advance": "repaid"}
    ]
    assert (await street.world.balances())["provider:wechat", "CNY"] == 1000
