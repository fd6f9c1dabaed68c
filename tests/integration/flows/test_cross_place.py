"""What is owed at one operator is paid at a partner's place: once, and right in both books."""

import asyncio
from uuid import UUID

import pytest

from parking.flows.payments import charging, collection, cross_place, desk_payment, settlement
from parking.flows.payments.cross_place import Debt, PaidHow
from parking.flows.proof.bill_proof import prove
from parking.kit.errors import ParkingError
from parking.kit.money import Money
from parking.payments import partners
from parking.payments.errors import (
    NothingDueError,
    PartnershipUnknownError,
    PaymentInProgressError,
    SettlementTooLargeError,
)
from parking.payments.fake import Fault
from parking.payments.port import OrderStatus
from tests.factories.credit import Partner, add_partner, allow_credit, credit_of
from tests.factories.lane_world import LaneWorld


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


async def owing_driver(world: LaneWorld) -> tuple[UUID, UUID]:
    """Let a driver leave on credit; returns the driver and the owed bill."""
    await allow_credit(world)
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    await world.drive_in()
    world.wait(minutes=45)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out()).reason == "credit"
    [bill] = await world.rows("SELECT id FROM bills")
    return driver_id, bill["id"]


def debt_of(world: LaneWorld, partner: Partner, bill_id: UUID) -> Debt:
    return Debt(world.entry.operator_id, bill_id, partner.operator_id, partner.place_id, "test")


async def states(world: LaneWorld) -> list[str]:
    rows = await world.rows("SELECT state FROM bills ORDER BY collection_id IS NOT NULL")
    return [str(row["state"]) for row in rows]


async def test_a_mandate_pays_a_debt_at_the_partners_place(world: LaneWorld) -> None:
    partner = await add_partner(world)
    driver_id, bill_id = await owing_driver(world)
    debt = debt_of(world, partner, bill_id)
    paid = await cross_place.by_mandate(world.context, debt, is_waited_for=True)
    assert (paid.status, paid.amount) == (PaidHow.SUCCEEDED, Money(1000, "CNY"))
    assert await states(world) == ["paid", "paid"]
    ours, theirs = world.entry.operator_id, partner.operator_id
    assert await world.accounts() == {f"partner:{theirs}": 1000, "revenue": -1000}
    assert await world.accounts(theirs) == {"provider:fake": 1000, f"partner:{ours}": -1000}
    for bill in await world.rows("SELECT operator_id, id FROM bills"):
        async with world.context.database.begin() as unit:
            found = await prove(world.context, unit, bill["operator_id"], bill["id"])
        assert found.first_problem is None
        assert [check.words for check in found.checks if check.name == "paid"] in (
            ["fake took 10.00 CNY"],
            [f"partner:{theirs} took 10.00 CNY"],
        )
    assert world.provider.captured("CNY") == 1000
    assert await credit_of(world, driver_id) == (0, 0)
    assert await world.count("owed_bills") == 0
    world.wait(days=2)
    assert await collection.sweep(world.context) == 0
    assert await cross_place.sweep(world.context) == 0
    with pytest.raises(NothingDueError):
        await cross_place.by_mandate(world.context, debt, is_waited_for=True)
    assert world.provider.captured("CNY") == 1000


async def test_what_no_mandate_pays_is_owed_as_before(world: LaneWorld) -> None:
    partner = await add_partner(world)
    driver_id, bill_id = await owing_driver(world)
    world.provider.play(Fault.DECLINE)
    paid = await cross_place.by_mandate(
        world.context, debt_of(world, partner, bill_id), is_waited_for=True
    )
    assert paid.status == PaidHow.REFUSED
    assert await states(world) == ["owed", "void"]
    assert await world.accounts() == {f"receivable:{driver_id}": 1000, "revenue": -1000}
    assert await world.accounts(partner.operator_id) == {}
    assert await credit_of(world, driver_id) == (1000, 1000)
    world.wait(hours=2)
    assert await collection.sweep(world.context) == 1
    assert await states(world) == ["paid", "void"]
    assert world.provider.captured("CNY") == 1000


async def test_a_claimed_bill_is_charged_by_nobody_else(world: LaneWorld) -> None:
    partner = await add_partner(world)
    _, bill_id = await owing_driver(world)
    debt = debt_of(world, partner, bill_id)
    claimed = await cross_place.claim(world.context, debt)
    assert (await cross_place.claim(world.context, debt)).id == claimed.id
    world.wait(hours=2)
    await collection.sweep(world.context)
    with pytest.raises(PaymentInProgressError):
        await desk_payment.take_cash(world.context, debt.owner_id, debt.owner_id, bill_id, by="Ada")
    assert world.provider.captured("CNY") == 0
    assert await states(world) == ["owed", "issued"]


async def test_a_claim_that_its_process_left_is_released(world: LaneWorld) -> None:
    partner = await add_partner(world)
    _, bill_id = await owing_driver(world)
    await cross_place.claim(world.context, debt_of(world, partner, bill_id))
    assert await cross_place.sweep(world.context) == 0
    world.wait(minutes=3)
    assert await cross_place.sweep(world.context) == 1
    assert await states(world) == ["owed", "void"]
    [bill] = await world.rows("SELECT claim_id FROM bills WHERE id = :id", id=bill_id)
    assert bill["claim_id"] is None
    assert await world.accounts(partner.operator_id) == {}


@pytest.mark.parametrize("is_paid", [True, False])
async def test_a_payment_that_outlives_its_process_is_finished_by_its_answer(
    world: LaneWorld, *, is_paid: bool
) -> None:
    partner = await add_partner(world)
    driver_id, bill_id = await owing_driver(world)
    world.provider.play(Fault.ACCEPT)
    debt = debt_of(world, partner, bill_id)
    paid = await cross_place.by_mandate(world.context, debt, is_waited_for=True)
    assert paid.status == PaidHow.PENDING
    world.wait(minutes=3)
    await cross_place.sweep(world.context)
    assert await states(world) == ["owed", "issued"]
    [attempt] = await world.rows("SELECT number FROM payment_attempts WHERE state = 'accepted'")
    outcome = OrderStatus.SUCCEEDED if is_paid else OrderStatus.FAILED
    world.provider.settle(attempt["number"], outcome, None if is_paid else "declined")
    for _ in range(2):
        world.wait(minutes=10)
        await settlement.sweep(world.context)
        await cross_place.sweep(world.context)
    assert await states(world) == (["paid", "paid"] if is_paid else ["owed", "void"])
    assert (await credit_of(world, driver_id))[0] == (0 if is_paid else 1000)
    assert world.provider.captured("CNY") == (1000 if is_paid else 0)


async def test_owner_and_partner_that_collect_at_once_take_the_money_once(
    world: LaneWorld,
) -> None:
    partner = await add_partner(world)
    _, bill_id = await owing_driver(world)
    debt = debt_of(world, partner, bill_id)
    world.wait(hours=2)
    answers = await asyncio.gather(
        cross_place.by_mandate(world.context, debt, is_waited_for=True),
        collection.sweep(world.context),
        desk_payment.take_cash(
            world.context, partner.operator_id, debt.owner_id, bill_id, by="Bob"
        ),
        desk_payment.take_cash(world.context, debt.owner_id, debt.owner_id, bill_id, by="Ada"),
        return_exceptions=True,
    )
    assert all(not isinstance(one, Exception) or isinstance(one, ParkingError) for one in answers)
    world.wait(minutes=10)
    await cross_place.sweep(world.context)
    [paid] = await world.rows(
        "SELECT count(*) AS n FROM payment_attempts WHERE operator_id = :o AND state = 'succeeded'",
        o=debt.owner_id,
    )
    assert paid["n"] == 1
    ours, theirs = await world.accounts(), await world.accounts(partner.operator_id)
    assert sum(ours.values()) == sum(theirs.values()) == 0
    taken = world.provider.captured("CNY") + ours.get("cash_desk", 0) + theirs.get("cash_desk", 0)
    assert taken == 1000
    assert not any(account.startswith("receivable") for account in (*ours, *theirs))


async def test_cash_at_the_partners_desk_pays_once(world: LaneWorld) -> None:
    partner = await add_partner(world)
    _, bill_id = await owing_driver(world)
    owner_id = world.entry.operator_id
    for _ in range(2):
        paid = await desk_payment.take_cash(
            world.context, partner.operator_id, owner_id, bill_id, by="Bob"
        )
        assert paid.status == PaidHow.SUCCEEDED
    assert await world.accounts(partner.operator_id) == {
        "cash_desk": 1000,
        f"partner:{owner_id}": -1000,
    }
    assert await world.accounts() == {f"partner:{partner.operator_id}": 1000, "revenue": -1000}


async def test_strangers_collect_nothing(world: LaneWorld) -> None:
    partner = await add_partner(world, is_agreed=False)
    _, bill_id = await owing_driver(world)
    ours = world.entry.operator_id
    for step in ("nothing", "proposed", "ended"):
        async with world.context.database.begin() as unit:
            if step == "proposed":
                await partners.propose(unit, partner.operator_id, ours, by="Bob")
            if step == "ended":
                await partners.accept(unit, ours, partner.operator_id, by="Ada")
                await partners.end(unit, partner.operator_id, ours, by="Bob")
        with pytest.raises(PartnershipUnknownError):
            await cross_place.claim(world.context, debt_of(world, partner, bill_id))
    async with world.context.database.begin() as unit:
        await partners.propose(unit, partner.operator_id, ours, by="Bob")
        with pytest.raises(PartnershipUnknownError):
            await partners.accept(unit, partner.operator_id, ours, by="Bob")
    assert await states(world) == ["owed"]


async def test_partners_settle_once_and_never_more_than_is_owed(world: LaneWorld) -> None:
    partner = await add_partner(world)
    _, bill_id = await owing_driver(world)
    await cross_place.by_cash(world.context, debt_of(world, partner, bill_id))
    ours, theirs = world.entry.operator_id, partner.operator_id
    for receiver, payer, amount in ((ours, theirs, 1001), (theirs, ours, 1)):
        with pytest.raises(SettlementTooLargeError):
            async with world.context.database.begin() as unit:
                await partners.settle(
                    unit, receiver, payer, Money(amount, "CNY"), key="1", reference="r", by="A"
                )

    async def settle(key: str) -> object:
        async with world.context.database.begin() as unit:
            return await partners.settle(
                unit, ours, theirs, Money(600, "CNY"), key=key, reference="wire", by="Ada"
            )

    answers = await asyncio.gather(*(settle(key) for key in "112"), return_exceptions=True)
    assert sum(isinstance(one, SettlementTooLargeError) for one in answers) in {1, 2}
    assert await world.count("partner_settlements") == 1
    assert await world.accounts() == {
        "bank": 600,
        f"partner:{theirs}": 400,
        "revenue": -1000,
    }
    assert await world.accounts(theirs) == {
        "bank": -600,
        "cash_desk": 1000,
        f"partner:{ours}": -400,
    }


@pytest.mark.parametrize("why", ["no partners any more", "another currency there"])
async def test_what_a_partner_cannot_collect_its_owner_does(world: LaneWorld, why: str) -> None:
    partner = await add_partner(world)
    driver_id, _ = await owing_driver(world)
    async with world.context.database.begin() as unit:
        await partners.choose(unit, driver_id, is_wanted=True)
    await partner.world.drive_in()
    world.wait(minutes=5)
    await partner.world.drive_out()
    if why == "no partners any more":
        async with world.context.database.begin() as unit:
            await partners.end(unit, world.entry.operator_id, partner.operator_id, by="Ada")
    else:
        there = {"id": partner.place_id}
        await world.rows_changed("UPDATE places SET currency = 'EUR' WHERE id = :id", **there)
    world.provider.play(Fault.DECLINE)
    await collection.sweep(world.context)
    [listed] = await world.rows("SELECT collector_id, tries FROM owed_bills")
    assert dict(listed) == {"collector_id": None, "tries": 1}
    world.wait(hours=2)
    await collection.sweep(world.context)
    assert await world.accounts() == {"provider:fake": 1000, "revenue": -1000}
    assert await world.accounts(partner.operator_id) == {}
    assert world.provider.captured("CNY") == 1000


async def test_leaving_a_partners_place_pays_what_is_owed_where_the_driver_wants_it(
    world: LaneWorld,
) -> None:
    partner = await add_partner(world)
    driver_id, _ = await owing_driver(world)
    for is_wanted in (False, True):
        async with world.context.database.begin() as unit:
            await partners.choose(unit, driver_id, is_wanted=is_wanted)
        await partner.world.drive_in()
        world.wait(minutes=5)
        await partner.world.drive_out()
        await collection.sweep(world.context)
        assert (await world.accounts()).get(f"partner:{partner.operator_id}", 0) == (
            1000 if is_wanted else 0
        )
    assert world.provider.captured("CNY") == 1000
