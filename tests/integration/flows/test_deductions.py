"""Whoever's money was taken is told of it: no captured order without its event."""

from datetime import timedelta
from typing import Any

import pytest

from parking.events import outbox
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.flows.passes import pass_changes
from parking.flows.pay_link import pay_token
from parking.flows.payments import (
    charging,
    checkout,
    collection,
    cross_place,
    prepay,
    settlement,
)
from parking.flows.payments.cross_place import Debt
from parking.kit.database import UnitOfWork
from parking.payments.fake import Fault
from tests.factories.credit import add_partner, allow_credit
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.pass_desk import PRICE_MINOR, SHANGHAI, PassDesk

# The only events that tell of money taken; notifications has a text with what to do for each.
TOLD_BY = ("PaymentCharged", "PassPurchased", "PassRenewed", "PassCharged")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


async def told(world: LaneWorld) -> list[dict[str, Any]]:
    """Return what was told of every captured order; each has exactly one event."""
    taken = await world.rows(
        "SELECT id, amount_minor, currency, provider, driver_id, mandate_id FROM payment_attempts"
        " WHERE state = 'succeeded' AND kind IN ('mandate', 'checkout') ORDER BY sent_at, id"
    )
    events = await world.rows(
        "SELECT type, payload FROM outbox WHERE payload ? 'attempt_id' AND type = ANY(:types)",
        types=list(TOLD_BY),
    )
    for attempt in taken:
        [payload] = [
            event["payload"]
            for event in events
            if event["payload"]["attempt_id"] == str(attempt["id"])
        ]
        said = {name: payload[name] for name in ("amount_minor", "currency", "provider")}
        assert said == {name: attempt[name] for name in said}
        assert payload["charged_at"]
        assert payload["timezone"] == "Asia/Shanghai"
        if attempt["mandate_id"] is not None:
            assert payload["driver_id"] == str(attempt["driver_id"])
    assert len(events) == len(taken)
    return [{"type": event["type"], **event["payload"]} for event in events]


async def inside(world: LaneWorld) -> Any:  # noqa: ANN401 - a session's id
    session_id = await world.drive_in()
    world.wait(minutes=45)
    return session_id


async def test_at_the_exit_before_it_on_a_page_and_after_it(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    await inside(world)
    assert (await world.drive_out()).reason == "paid"
    session_id = await inside(world)
    await prepay.prepay(world.context, driver_id, session_id)
    assert len(await told(world)) == 2
    world.wait(hours=2)
    token = pay_token(world.context.vault, world.entry.operator_id, session_id)
    await checkout.start(world.context, token)
    [page] = await world.rows("SELECT number FROM payment_attempts WHERE kind = 'checkout'")
    assert world.provider.pay(page["number"])
    world.wait(minutes=1)
    await settlement.sweep(world.context)
    assert len(await told(world)) == 3
    # On the next day, because the first one has cost its most.
    world.wait(hours=20)
    await allow_credit(world, first_minor=20_000, most_minor=20_000)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out()).reason == "credit"
    for _ in range(3):
        world.wait(hours=2)
        await collection.sweep(world.context)
    payloads = await told(world)
    assert [payload["type"] for payload in payloads] == ["PaymentCharged"] * 4
    assert {payload["place_name"] for payload in payloads} == {"Riverside"}
    # What is collected after the drive may wait for the day.
    payloads.sort(key=lambda payload: payload["charged_at"])
    assert [payload.get("can_wait") for payload in payloads] == [None, None, None, True]
    assert (await world.balances())["receivable", "CNY"] == 0


@pytest.mark.parametrize(("by", "can_wait"), [("the driver", None), ("collection", True)])
async def test_a_partner_that_collects(world: LaneWorld, by: str, can_wait: bool | None) -> None:
    partner = await add_partner(world)
    await allow_credit(world)
    await world.permit(await world.add_driver())
    await inside(world)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out()).reason == "credit"
    [bill] = await world.rows("SELECT operator_id, id FROM bills")
    debt = Debt(bill["operator_id"], bill["id"], partner.operator_id, partner.place_id, by)
    await cross_place.by_mandate(world.context, debt, is_waited_for=True)
    [payload] = await told(world)
    assert payload.get("can_wait") is can_wait
    assert (payload["provider"], payload["amount_minor"]) == ("fake", 1000)


async def test_passes_bought_renewed_and_paid_too_late(world: LaneWorld) -> None:
    desk = PassDesk(world)
    driver_id = await desk.buyer(PLATE)
    right = await desk.right(await desk.buy(driver_id, await desk.add_product()))
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    await desk.wait_until(ends, hour=1)
    assert [payload["type"] for payload in await told(world)] == ["PassPurchased", "PassRenewed"]
    right = await desk.right(right["id"])
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    await desk.wait_until(ends - timedelta(days=1))
    world.provider.play(Fault.ACCEPT)
    await desk.wait_until(ends, hour=1)
    await pass_changes.revoke(
        world.context, right["operator_id"], right["id"], by="Ada", reason="misused"
    )
    [late] = await world.rows("SELECT number FROM payment_attempts WHERE state = 'accepted'")
    assert world.provider.pay(late["number"])
    world.wait(minutes=5)
    await settlement.sweep(world.context)
    payloads = await told(world)
    assert [payload["type"] for payload in payloads][-1] == "PassCharged"
    assert payloads[-1]["amount_minor"] == PRICE_MINOR


async def test_an_event_that_cannot_be_stored_leaves_the_order_unsettled(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.permit(await world.add_driver())
    await inside(world)
    append = outbox.append

    def fail(unit: UnitOfWork, event: Event) -> None:
        if event.type == EventType.PAYMENT_CHARGED:
            raise OSError("the disk is full")
        append(unit, event)

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "append", fail)
        with pytest.raises(Exception, match="PostgreSQL does not answer"):
            await world.drive_out()
    rows = await world.rows("SELECT state FROM payment_attempts")
    assert [row["state"] for row in rows] == ["sent"]
    assert await told(world) == []
    assert world.provider.captured("CNY") == 1000
    world.wait(minutes=1)
    await settlement.sweep(world.context)
    assert len(await told(world)) == 1
    assert world.provider.captured("CNY") == 1000
