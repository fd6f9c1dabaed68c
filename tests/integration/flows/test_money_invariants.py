"""Random days at one place, with a provider that fails in every way: the books hold."""

import random
from datetime import timedelta

import pytest

from parking.flows import charging, checkout, prepay, settlement
from parking.flows.pay_link import pay_token
from parking.kit.errors import ParkingError
from parking.payments.fake import Fault
from parking.payments.port import OrderStatus
from tests.factories.lane_world import LaneWorld, read_of

PLATES = ("京A88731", "沪B12345", "粤C70707")
STEPS = 40
FAULTS = tuple(Fault)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0,))


class Day:
    """One random day; every step may be refused, none may break the books."""

    def __init__(self, world: LaneWorld, seed: int) -> None:
        self._world = world
        self._random = random.Random(seed)  # noqa: S311 - a test's own dice
        self._drivers: dict[str, object] = {}

    async def begin(self) -> None:
        for plate in PLATES[:2]:
            driver_id = await self._world.add_driver(plate)
            await self._world.permit(driver_id)

    async def step(self) -> None:
        world, dice = self._world, self._random
        plate = dice.choice(PLATES)
        action = dice.choice(
            ("in", "out", "out", "prepay", "page", "pay", "notice", "settle", "sweep", "fault")
        )
        world.wait(minutes=dice.choice((0, 1, 7, 20, 45)))
        if action == "in":
            await world.drive_in(plate)
        elif action == "out":
            await world.drive_out(plate)
        elif action == "fault":
            world.provider.play(dice.choice(FAULTS))
        elif action == "sweep":
            await settlement.sweep(world.context)
        elif action in {"pay", "settle"}:
            await self._end_an_order()
        elif action == "notice":
            await self._deliver_a_notice()
        else:
            await self._pay_before_leaving(action)

    async def _end_an_order(self) -> None:
        attempts = await self._world.rows("SELECT number FROM payment_attempts ORDER BY id")
        if attempts:
            number = self._random.choice(attempts)["number"]
            status = self._random.choice((OrderStatus.SUCCEEDED, OrderStatus.FAILED))
            try:
                self._world.provider.settle(number, status)
            except KeyError:
                return  # The provider never heard of it.

    async def _deliver_a_notice(self) -> None:
        if not self._world.provider.notices:
            return
        sent = self._random.choice(tuple(self._world.provider.notices))
        try:
            notice = self._world.provider.verify_notice(sent.headers, sent.body)
        except ParkingError:
            return  # Too old by now.
        for _ in range(self._random.choice((1, 2))):
            await settlement.receive_notice(self._world.context, "fake", notice)

    async def _pay_before_leaving(self, action: str) -> None:
        inside = await self._world.rows(
            "SELECT s.id, s.operator_id, s.driver_id FROM sessions s JOIN open_sessions o"
            " ON o.operator_id = s.operator_id AND o.session_id = s.id ORDER BY s.id"
        )
        if not inside:
            return
        session = self._random.choice(inside)
        try:
            if action == "page":
                token = pay_token(self._world.context.vault, session["operator_id"], session["id"])
                await checkout.start(self._world.context, token)
            elif session["driver_id"] is not None:
                await prepay.prepay(self._world.context, session["driver_id"], session["id"])
        except ParkingError:
            return  # Nothing due, in progress, or no page: all are answers.


@pytest.mark.parametrize("seed", range(6))
async def test_books_hold_after_a_random_day(world: LaneWorld, seed: int) -> None:
    day = Day(world, seed)
    await day.begin()
    for _ in range(STEPS):
        await day.step()
        await assert_books(world)
    await come_to_rest(world)
    await assert_books(world)
    limbo = "SELECT number FROM payment_attempts WHERE state NOT IN ('succeeded', 'failed')"
    assert await world.rows(limbo) == []
    captured = (await world.balances()).get(("provider:fake", "CNY"), 0)
    assert captured == world.provider.captured("CNY")


async def come_to_rest(world: LaneWorld) -> None:
    """Let every open order end, and the janitor find out."""
    for row in await world.rows("SELECT number FROM payment_attempts"):
        try:
            world.provider.settle(row["number"], OrderStatus.SUCCEEDED)
        except KeyError:
            continue
    for _ in range(8):
        world.wait(minutes=40)
        await settlement.sweep(world.context)


async def assert_books(world: LaneWorld) -> None:
    balances = await world.balances()
    assert sum(balances.values()) == 0
    unpaid = await world.rows(
        "SELECT coalesce(sum(total_minor), 0)::bigint AS owed FROM bills"
        " WHERE state IN ('issued', 'owed')"
    )
    assert balances.get(("receivable", "CNY"), 0) == unpaid[0]["owed"]
    twice = await world.rows(
        "SELECT bill_id FROM payment_attempts WHERE state = 'succeeded'"
        " GROUP BY bill_id HAVING count(*) > 1"
    )
    assert twice == []
    live = await world.rows(
        "SELECT bill_id FROM payment_attempts WHERE state NOT IN ('succeeded', 'failed')"
        " GROUP BY bill_id HAVING count(*) > 1"
    )
    assert live == []
    unpaid_exits = await world.rows(
        "SELECT p.id FROM presentations p JOIN sessions s ON s.operator_id = p.operator_id"
        " AND s.id = p.session_id WHERE p.action = 'open' AND p.reason = 'paid'"
        " AND NOT EXISTS (SELECT 1 FROM bills b WHERE b.session_id = s.id AND b.state = 'paid')"
    )
    assert unpaid_exits == []


async def test_open_page_expires_and_its_bill_can_be_paid_again(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of("京A88731"))
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    first = await checkout.start(world.context, token)
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.clock.advance(timedelta(hours=1))
    world.provider.settle(attempt["number"], OrderStatus.FAILED, "expired")
    assert await settlement.sweep(world.context) == 1
    second = await checkout.start(world.context, token)
    assert second != first
    states = await world.rows("SELECT state FROM payment_attempts ORDER BY sent_at")
    assert [row["state"] for row in states] == ["failed", "sent"]
