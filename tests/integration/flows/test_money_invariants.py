"""Random days at one place, with a provider that fails in every way: the books hold."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from parking.disputes.models import DisputeReason
from parking.flows.disputes import dispute_decision, dispute_opening
from parking.flows.passes import pass_changes, pass_renewal
from parking.flows.pay_link import pay_token
from parking.flows.payments import (
    charging,
    checkout,
    desk_refund,
    notices,
    prepay,
    refunds,
    settlement,
)
from parking.flows.payments.correction import Correction, correct_stay
from parking.flows.proof.verification import verify
from parking.kit.errors import ParkingError
from parking.kit.money import Money
from parking.payments.fake import Fault
from parking.payments.port import OrderStatus
from tests.factories.lane_world import LaneWorld, read_of
from tests.factories.pass_desk import PassDesk

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
        self._drivers: list[UUID] = []
        self._desk = PassDesk(world)
        self._others: dict[str, Callable[[], Awaitable[None]]] = {
            "pay": self._end_an_order,
            "settle": self._end_an_order,
            "notice": self._deliver_a_notice,
            "refund": self._refund,
            "correct": self._correct,
            "dispute": self._dispute,
            "decide": self._decide,
            "buy": self._buy,
            "cancel": self._cancel,
        }

    async def begin(self) -> None:
        for plate in PLATES[:2]:
            driver_id = await self._world.add_driver(plate)
            await self._world.permit(driver_id)
            self._drivers.append(driver_id)
        self._product = await self._desk.add_product()

    async def step(self) -> None:
        world, dice = self._world, self._random
        plate = dice.choice(PLATES)
        action = dice.choice(
            (
                *("in", "out", "out", "prepay", "page", "pay", "notice", "settle", "sweep"),
                *("fault", "refund", "correct", "dispute", "decide", "buy", "cancel"),
            )
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
            await refunds.sweep(world.context)
            await dispute_decision.sweep(world.context)
            await pass_renewal.sweep(world.context)
        elif action in self._others:
            await self._others[action]()
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

    async def _refund(self) -> None:
        bills = await self._world.rows("SELECT * FROM bills ORDER BY id")
        if not bills:
            return
        bill = self._random.choice(bills)
        amount = Money(self._random.choice((100, 700, bill["total_minor"] or 1)), "CNY")
        key = str(self._random.randrange(5))
        await self._try(
            desk_refund.refund_bill(
                self._world.context,
                bill["operator_id"],
                bill["id"],
                amount,
                key=key,
                reason="x",
                by="y",
            )
        )

    async def _correct(self) -> None:
        stays = await self._world.rows("SELECT * FROM sessions ORDER BY id")
        if not stays:
            return
        stay = self._random.choice(stays)
        later_at = stay["entered_at"] + timedelta(minutes=self._random.choice((5, 25)))
        correction = self._random.choice((Correction(waive=True), Correction(entered_at=later_at)))
        key = str(self._random.randrange(5))
        await self._try(
            correct_stay(
                self._world.context,
                stay["operator_id"],
                stay["id"],
                correction,
                correction_id=key,
                by="y",
                reason="x",
            )
        )

    async def _dispute(self) -> None:
        bills = await self._world.rows(
            "SELECT * FROM bills WHERE driver_id IS NOT NULL ORDER BY id"
        )
        if not bills:
            return
        bill = self._random.choice(bills)
        if self._random.choice((True, False)):
            # Reads that prove nothing: the stay is refunded at once.
            await self._world.rows_changed("UPDATE observations SET confidence = 0.9")
        key = (bill["operator_id"], bill["id"])
        reason = self._random.choice((DisputeReason.WRONG_VEHICLE, DisputeReason.OTHER))
        await self._try(
            dispute_opening.dispute_bill(self._world.context, bill["driver_id"], key, reason=reason)
        )

    async def _decide(self) -> None:
        disputes = await self._world.rows("SELECT operator_id, id FROM disputes ORDER BY id")
        if not disputes:
            return
        dispute = self._random.choice(disputes)
        await self._try(
            dispute_decision.resolve(
                self._world.context,
                dispute["operator_id"],
                dispute["id"],
                kind=self._random.choice((dispute_decision.ACCEPT_FULL, dispute_decision.REJECT)),
                remedy=None,
                words="As said.",
                staff_name="y",
            )
        )

    async def _buy(self) -> None:
        driver_id = self._random.choice(self._drivers)
        key = str(self._random.randrange(5))
        await self._try(self._desk.buy(driver_id, self._product, key))

    async def _cancel(self) -> None:
        passes = await self._world.rows("SELECT id, driver_id FROM assigned_rights ORDER BY id")
        if not passes:
            return
        held = self._random.choice(passes)
        await self._try(
            pass_changes.cancel(
                self._world.context, held["driver_id"], held["id"], immediately=True
            )
        )

    async def _try(self, asked: Awaitable[object]) -> None:
        try:
            await asked
        except ParkingError:
            return  # Nothing to give back, too much, or a payment under way: all are answers.

    async def _deliver_a_notice(self) -> None:
        if not self._world.provider.notices:
            return
        sent = self._random.choice(tuple(self._world.provider.notices))
        try:
            notice = self._world.provider.verify_notices(sent.headers, sent.body)[0]
        except ParkingError:
            return  # Too old by now.
        for _ in range(self._random.choice((1, 2))):
            await notices.receive_notice(self._world.context, "fake", notice)

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
    await assert_proven(world)
    limbo = "SELECT number FROM payment_attempts WHERE state NOT IN ('succeeded', 'failed')"
    assert await world.rows(limbo) == []
    assert await world.rows(limbo.replace("payment_attempts", "refunds")) == []
    undone = "SELECT id FROM disputes WHERE state = 'open' AND next_try_at IS NOT NULL"
    assert await world.rows(undone) == []
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
        await refunds.sweep(world.context)
        await dispute_decision.sweep(world.context)
        await pass_renewal.sweep(world.context)


async def assert_books(world: LaneWorld) -> None:
    balances = await world.balances()
    assert sum(balances.values()) == 0
    unpaid = await world.rows(
        "SELECT coalesce(sum(total_minor), 0)::bigint AS owed FROM bills"
        " WHERE state IN ('issued', 'owed')"
    )
    going_back = await world.rows(
        "SELECT coalesce(sum(amount_minor), 0)::bigint AS owed FROM refunds"
        " WHERE state <> 'succeeded'"
    )
    owed = unpaid[0]["owed"] - going_back[0]["owed"]
    assert balances.get(("receivable", "CNY"), 0) == owed
    # What a paid bill says is what was taken for it, less what went back or will.
    unequal = await world.rows(
        "SELECT b.id FROM bills b JOIN payment_attempts a ON a.id = b.paid_attempt_id"
        " WHERE b.state = 'paid' AND b.total_minor <> a.amount_minor - (SELECT"
        " coalesce(sum(r.amount_minor), 0) FROM refunds r WHERE r.attempt_id = a.id)"
    )
    assert unequal == []
    rewritten = await world.rows(
        "SELECT new.id FROM bills new JOIN bills old ON old.id = new.corrects_id"
        " WHERE old.state <> 'corrected' OR new.total_minor > old.total_minor"
        " OR new.version <> old.version + 1"
    )
    assert rewritten == []
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


async def assert_proven(world: LaneWorld) -> None:
    """Every bill, corrected and voided ones too, follows from what is stored."""
    for row in await world.rows("SELECT operator_id, id FROM bills"):
        async with world.context.database.begin() as unit:
            found = await verify(unit, row["operator_id"], row["id"])
        assert found.is_verified, (found.title, found.first_problem)


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
