"""Refunds over the wire: the ledger and the stand-in's books say the same, whatever gets lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import httpx
import pytest

from parking.flows.context import ParkingContext
from parking.flows.lane import LaneFlows
from parking.flows.payments import charging, desk_refund, mandates, notices, refunds
from parking.kit.money import Money
from parking.payments.models import Bill
from parking.payments.repository import find_bills
from tests.contract.payment_stages import AcquirerStage
from tests.factories.lane_world import LaneWorld, open_lane_world


@dataclass(frozen=True, slots=True)
class Desk:
    """A place whose money the stand-in holds, and what it held before."""

    world: LaneWorld
    stage: AcquirerStage
    held_before: int

    @property
    def context(self) -> ParkingContext:
        return self.world.context

    async def assert_books_agree(self, *, held: int) -> None:
        assert await self.stage.captured("CNY") - self.held_before == held
        balances = await self.world.balances()
        assert balances["provider:acquirer", "CNY"] == held
        assert sum(balances.values()) == 0

    async def give_back(self, bill: Bill, amount_minor: int, key: str) -> str:
        refund = await desk_refund.refund_bill(
            self.context,
            bill.operator_id,
            bill.id,
            Money(amount_minor, "CNY"),
            key=key,
            reason="Lift was broken",
            by="desk",
        )
        return refund.state


@pytest.fixture
async def desk(
    acquirer_stage: AcquirerStage,
    database_url: str,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Desk]:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))
    async with open_lane_world(database_url, valkey_url) as fake:
        name = acquirer_stage.provider.name
        providers = {name: acquirer_stage.provider}
        context = replace(fake.context, providers=providers, checkout_provider=name)
        world = replace(fake, context=context, gate=LaneFlows(context))
        yield Desk(world, acquirer_stage, await acquirer_stage.captured("CNY"))


async def paid_bill(desk: Desk) -> Bill:
    """Let a driver authorize the stand-in, stay 45 minutes, and leave for 10.00."""
    driver_id = await desk.world.add_driver()
    mandate = await mandates.authorize(desk.context, driver_id)
    assert mandate.confirmation_url is not None
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(mandate.confirmation_url)).status_code == 303
    digest = mandate.terms.digest(desk.context.vault, "en")
    await mandates.confirm(desk.context, driver_id, mandate.id, digest)
    assert await mandates.sweep(desk.context) == 1
    session_id = await desk.world.drive_in()
    desk.world.wait(minutes=45)
    assert (await desk.world.drive_out()).reason == "paid"
    async with desk.context.database.begin() as unit:
        [bill] = await find_bills(unit, desk.world.entry.operator_id, session_id)
    return bill


@pytest.mark.parametrize("scenario", ["lose_answer_before", "lose_answer_after"])
async def test_a_lost_answer_gives_back_once(desk: Desk, scenario: str) -> None:
    bill = await paid_bill(desk)
    await desk.assert_books_agree(held=1000)
    await desk.stage.play(scenario, operation="refund")
    assert await desk.give_back(bill, 300, "k1") == "unknown"
    desk.world.wait(minutes=5)
    assert await refunds.sweep(desk.context) == 1
    await desk.assert_books_agree(held=700)
    assert await desk.give_back(bill, 300, "k1") == "succeeded"
    assert await desk.give_back(bill, 700, "k2") == "succeeded"
    await desk.assert_books_agree(held=0)
    assert (await desk.world.balances())["receivable", "CNY"] == 0
    listed = await desk.stage.books()
    assert [one["amount_minor"] for one in listed["refunds"][-2:]] == [300, 700]


async def test_notices_of_refunds_settle_them_however_often_they_come(desk: Desk) -> None:
    bill = await paid_bill(desk)
    await desk.stage.play("lose_answer_after", operation="refund")
    assert await desk.give_back(bill, 300, "k1") == "unknown"
    [row] = await desk.world.rows("SELECT number FROM refunds")
    delivery = await desk.stage.delivery("refund.succeeded", row["number"])
    notice = desk.stage.provider.verify_notices(delivery.headers, delivery.body)[0]
    await asyncio.gather(
        *(notices.receive_notice(desk.context, "acquirer", notice) for _ in range(4))
    )
    assert await desk.world.rows("SELECT state FROM refunds") == [{"state": "succeeded"}]
    told = await desk.world.rows("SELECT id FROM outbox WHERE type = 'PaymentRefunded'")
    assert len(told) == 1
    await desk.assert_books_agree(held=700)
