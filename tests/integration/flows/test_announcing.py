"""Providers are told of a car while it is inside; the lane never waits for that."""

from dataclasses import replace
from typing import Any, Final, cast
from uuid import UUID

import pytest

from parking.flows.payments import announcing, charging, mandates
from parking.flows.payments.mandates import Wish
from parking.flows.retention import purging
from parking.flows.retention.policy import Policy
from parking.kit.clock import ManualClock
from parking.payments import announcements
from parking.payments.fake import TRAITS, FakeProvider, Fault
from parking.payments.port import (
    ChargeOrder,
    ChargeResult,
    PaymentProvider,
    ProviderUnavailableError,
    StayDetails,
    order_number,
)
from tests.factories.lane_world import PLATE, LaneWorld, read_of

NAME: Final = "wallet"


class Listener(FakeProvider):
    """A provider that hears of stays, and of charges."""

    def __init__(self, clock: ManualClock, **traits: Any) -> None:  # noqa: ANN401 - any trait's
        known: dict[str, Any] = {"needs_plate": True, "announces_stays": True} | traits
        super().__init__(clock, name=NAME, traits=replace(TRAITS, **known))
        self.is_down = False
        self.heard: list[StayDetails] = []
        self.charged: list[str | None] = []

    async def announce_stay(self, agreement_reference: str, stay: StayDetails) -> str:
        assert agreement_reference.startswith("agr_")
        if self.is_down:
            raise ProviderUnavailableError("no_answer")
        self.heard.append(stay)
        return f"stay_{stay.number}"

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        assert order.stay is not None
        self.charged.append(order.stay.reference)
        return await super().charge(order)


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


def listen(world: LaneWorld, **traits: Any) -> Listener:  # noqa: ANN401 - any trait's
    provider = Listener(world.clock, **traits)
    cast("dict[str, PaymentProvider]", world.context.providers)[NAME] = provider
    return provider


async def allow(world: LaneWorld, provider: Listener, driver_id: UUID | None = None) -> UUID:
    """Let the plate's driver allow the provider to charge; returns the driver."""
    driver_id = driver_id or await world.add_driver()
    [row] = await world.rows("SELECT binding_id FROM driver_plates")
    wish = Wish(provider=NAME, binding_id=row["binding_id"])
    await world.permit(driver_id, wish, provider=provider)
    return driver_id


async def announced(world: LaneWorld) -> list[dict[str, Any]]:
    return await world.rows("SELECT * FROM stay_announcements ORDER BY session_id")


async def test_is_told_once_at_entry_and_charged_by_its_reference(world: LaneWorld) -> None:
    provider = listen(world)
    await allow(world, provider)
    entered_at = world.clock.now()
    session_id = await world.drive_in()
    assert provider.heard == []

    assert await announcing.sweep(world.context) == 1
    world.wait(minutes=45)
    assert await announcing.sweep(world.context) == 0

    number = order_number(session_id)
    assert provider.heard == [
        StayDetails(
            number=number,
            plate=PLATE,
            place_id=world.entry.place_id,
            place_name="Riverside",
            entered_at=entered_at,
        )
    ]
    assert (await world.drive_out()).reason == "paid"
    assert provider.charged == [f"stay_{number}"]
    assert await announcing.sweep(world.context) == 1
    # It wants to know of no departure, and the plate lies nowhere in the clear.
    assert len(provider.heard) == 1
    [row] = await announced(world)
    assert (row["reference"], row["next_try_at"]) == (f"stay_{number}", None)
    assert PLATE not in str(row)


async def test_a_second_charge_of_the_stay_does_not_use_the_entry_again(world: LaneWorld) -> None:
    provider = listen(world)
    await allow(world, provider)
    session_id = await world.drive_in()
    await announcing.sweep(world.context)
    provider.play(Fault.DECLINE)
    world.wait(minutes=45)
    assert (await world.drive_out()).reason == "payment_due"
    [bill] = await world.rows("SELECT operator_id, id FROM bills")
    world.wait(seconds=1)

    found = await charging.charge_bill(world.context, bill["operator_id"], bill["id"])

    assert found is not None
    assert found.state == "succeeded"
    assert provider.charged == [f"stay_{order_number(session_id)}", None]


async def test_a_charge_that_is_sent_again_names_the_same_entry(world: LaneWorld) -> None:
    provider = listen(world)
    await allow(world, provider)
    await world.drive_in()
    world.wait(minutes=45)
    provider.play(Fault.LOSE_ANSWER_BEFORE)

    # Told after the charge was stored: what was sent stays as it was.
    decision = await world.drive_out()
    await announcing.sweep(world.context)

    assert decision.reason == "paid"
    assert provider.charged == [None, None]
    assert provider.heard == []


async def test_a_charge_does_not_wait_for_it(world: LaneWorld) -> None:
    provider = listen(world)
    await allow(world, provider)
    provider.is_down = True
    await world.drive_in()
    await announcing.sweep(world.context)
    [row] = await announced(world)
    assert (row["reference"], row["tries"]) == (None, 1)
    assert row["next_try_at"] == world.clock.now() + announcements.RETRY_DELAY_MIN
    world.wait(minutes=45)

    assert (await world.drive_out()).reason == "paid"

    assert provider.charged == [None]
    # The provider heard of the stay by its charge: it is not told of the entry any more.
    provider.is_down = False
    await announcing.sweep(world.context)
    assert provider.heard == []


async def test_whoever_dies_after_the_call_tells_again_under_the_same_number(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = listen(world)
    await allow(world, provider)
    session_id = await world.drive_in()

    async def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(announcements, "settle", killed)
        await announcing.sweep(world.context)
    assert await announcing.sweep(world.context) == 0
    world.wait(seconds=10)
    assert await announcing.sweep(world.context) == 1

    assert [stay.number for stay in provider.heard] == [order_number(session_id)] * 2
    world.wait(minutes=45)
    assert (await world.drive_out()).reason == "paid"
    assert provider.charged == [f"stay_{order_number(session_id)}"]


async def test_a_driver_may_sign_while_the_car_is_inside(world: LaneWorld) -> None:
    provider = listen(world)
    driver_id = await world.add_driver()
    session_id = await world.drive_in()
    assert await announced(world) == []

    await allow(world, provider, driver_id)
    await announcing.sweep(world.context)

    assert [stay.number for stay in provider.heard] == [order_number(session_id)]


async def test_another_account_of_the_driver_takes_over_what_was_not_charged(
    world: LaneWorld,
) -> None:
    provider = listen(world)
    driver_id = await allow(world, provider)
    await world.drive_in()
    await announcing.sweep(world.context)
    [first] = await announced(world)
    await mandates.revoke(world.context, driver_id, first["mandate_id"])

    await allow(world, provider, driver_id)
    await announcing.sweep(world.context)

    [second] = await announced(world)
    assert second["mandate_id"] != first["mandate_id"]
    assert len(provider.heard) == 2
    # Nothing follows where the same permission is confirmed twice.
    assert await announcing.sweep(world.context) == 0


@pytest.mark.parametrize("case", ["revoked", "gone", "currency"])
async def test_who_cannot_charge_the_stay_is_not_told(world: LaneWorld, case: str) -> None:
    traits = {"currencies": frozenset({"EUR"})} if case == "currency" else {}
    provider = listen(world, announces_departures=True, **traits)
    driver_id = await allow(world, provider)
    await world.drive_in("京B11111")
    await world.drive_in()
    if case == "gone":
        await world.drive_out()
    if case == "revoked":
        [mandate] = await world.rows("SELECT id FROM mandates")
        await mandates.revoke(world.context, driver_id, mandate["id"])

    await announcing.sweep(world.context)

    assert provider.heard == []
    assert len(await announced(world)) == (0 if case == "currency" else 1)
    assert await announcing.sweep(world.context) == 0


@pytest.mark.parametrize("left", ["paid", "backed out"])
async def test_who_wants_to_know_is_told_of_the_departure_once(world: LaneWorld, left: str) -> None:
    provider = listen(world, announces_departures=True)
    await allow(world, provider)
    if left == "paid":
        await world.drive_in()
        await announcing.sweep(world.context)
        world.wait(minutes=45)
        await world.drive_out()
    else:
        standing = await world.arrive(world.entry)
        await world.decide(world.entry, standing, read_of(PLATE))
        await announcing.sweep(world.context)
        await world.barrier(world.entry, standing, "opened", "backed_out")
    left_at = world.clock.now()
    provider.is_down = True
    await announcing.sweep(world.context)
    provider.is_down = False
    world.wait(minutes=1)

    await announcing.sweep(world.context)
    await announcing.sweep(world.context)

    entry, departure = provider.heard
    assert (entry.left_at, entry.reference) == (None, None)
    assert (departure.left_at, departure.reference) == (left_at, f"stay_{entry.number}")
    assert departure.number == entry.number
    world.wait(days=8)
    assert (await purging.apply(world.context.database, Policy()))["stay_announcements"] == 1
    assert await announced(world) == []
