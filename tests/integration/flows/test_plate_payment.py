"""Proving a plate by paying for its car at the exit: whose page, which car, and until when."""

from uuid import UUID

import pytest

from parking.drivers.models import Driver
from parking.flows import plate_payment
from parking.flows.pay_link import pay_token
from parking.flows.payments import checkout, settlement
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from parking.plates import service as plates
from parking.plates.errors import ClaimInReviewError, ClaimNotFoundError, PayLinkWrongError
from parking.plates.service import PlateClaim
from tests.factories.lane_world import PLATE, LaneWorld, read_of


class Stage:
    """A stranger's car that has to pay at the exit, and a driver who says that it is theirs."""

    def __init__(self, world: LaneWorld, driver_id: UUID, claim: PlateClaim) -> None:
        self.world, self.driver_id, self.claim = world, driver_id, claim
        self.link = ""
        self.presentation_id = UUID(int=0)

    async def come(self, plate: str = PLATE) -> None:
        session_id = await self.world.drive_in(plate)
        self.world.wait(minutes=45)
        self.presentation_id = await self.world.arrive(self.world.exit)
        decision = await self.world.decide(self.world.exit, self.presentation_id, read_of(plate))
        assert decision.action == "pay"
        operator_id = self.world.exit.operator_id
        token = pay_token(self.world.context.vault, operator_id, session_id)
        self.link = f"https://pay.example/pay/{token}"
        assert decision.display.qr == self.link

    async def begin(self) -> str:
        return await plate_payment.begin(
            self.world.context, self.driver_id, self.claim.claim_id, self.link
        )

    async def refusal(self) -> type[ParkingError]:
        with pytest.raises(ParkingError) as refused:
            await self.begin()
        return type(refused.value)

    async def pay(self) -> None:
        """Pay on the page that is open."""
        [row] = await self.world.rows(
            "SELECT id, number, operator_id FROM payment_attempts WHERE state = 'sent'"
        )
        assert self.world.provider.pay(row["number"])
        await settlement.ask(self.world.context, row["operator_id"], row["id"])

    async def bound(self) -> list[tuple[UUID, str]]:
        rows = await self.world.rows(
            "SELECT driver_id, proof FROM plate_bindings WHERE unbound_at IS NULL"
        )
        return [(row["driver_id"], row["proof"]) for row in rows]


async def add_claimant(world: LaneWorld) -> tuple[UUID, PlateClaim]:
    async with world.context.database.begin() as unit:
        driver = Driver(id=new_id(unit.now()), created_at=unit.now())
        unit.session.add(driver)
        return driver.id, await plates.claim_plate(unit, driver.id, PLATE)


@pytest.fixture
async def stage(world: LaneWorld) -> Stage:
    return Stage(world, *await add_claimant(world))


async def test_whoever_pays_at_the_exit_gets_the_plate(world: LaneWorld, stage: Stage) -> None:
    await stage.come()
    page = await stage.begin()
    assert await stage.begin() == page
    assert await stage.bound() == []
    await stage.pay()
    assert await stage.bound() == [(stage.driver_id, "payment")]
    assert world.provider.captured("CNY") == 1000
    [event] = await world.rows("SELECT payload FROM outbox WHERE type = 'PlateBound'")
    assert event["payload"]["proof"] == "payment"
    assert (await stage.refusal()).code == "CLAIM_REFUSED"


async def test_another_payer_proves_nothing_for_the_claim(world: LaneWorld, stage: Stage) -> None:
    """Who read the address over a shoulder gets nothing from the payment of who stands there."""
    await stage.come()
    await stage.begin()
    await checkout.start(world.context, stage.link.rpartition("/")[2])
    states = await world.rows("SELECT state, checkout_for FROM payment_attempts ORDER BY state")
    assert [(row["state"], row["checkout_for"]) for row in states] == [
        ("failed", f"claim:{stage.driver_id}:{stage.claim.claim_id}"),
        ("sent", None),
    ]
    await stage.pay()
    assert await stage.bound() == []
    assert world.provider.captured("CNY") == 1000


async def test_two_claimants_and_one_car(world: LaneWorld, stage: Stage) -> None:
    rival = Stage(world, *await add_claimant(world))
    await stage.come()
    rival.link = stage.link
    await rival.begin()
    await stage.begin()
    await stage.pay()
    assert await stage.bound() == [(stage.driver_id, "payment")]
    assert await rival.refusal() is PayLinkWrongError


@pytest.mark.parametrize("case", ["left", "late", "other plate", "inside", "forged", "stranger"])
async def test_only_what_an_exit_shows_for_this_plate_now(
    world: LaneWorld, stage: Stage, case: str
) -> None:
    expected: type[ParkingError] = PayLinkWrongError
    if case == "inside":
        session_id = await world.drive_in()
        world.wait(minutes=45)
        token = pay_token(world.context.vault, world.exit.operator_id, session_id)
        stage.link = f"https://pay.example/pay/{token}"
    else:
        await stage.come("ZZ99999" if case == "other plate" else PLATE)
    if case == "left":
        await world.clear(world.exit, stage.presentation_id)
    elif case == "late":
        world.wait(minutes=10, seconds=1)
    elif case == "forged":
        stage.link = stage.link[:-6] + "AAAAAA"
    elif case == "stranger":
        stage.driver_id, _ = await add_claimant(world)
        expected = ClaimNotFoundError
    assert await stage.refusal() is expected
    assert await world.count("payment_attempts") == 0


async def test_a_payment_for_a_plate_that_is_bound_is_left_to_staff(
    world: LaneWorld, stage: Stage
) -> None:
    await stage.come()
    page = await stage.begin()
    # It was bound meanwhile: what the claimant sees until the payment is the same.
    holder = await world.add_driver()
    assert await stage.begin() == page
    await stage.pay()
    assert await stage.bound() == [(holder, "lane_code")]
    [claim] = await world.rows("SELECT * FROM binding_claims")
    assert (claim["state"], claim["contested_at"]) == ("pending", world.clock.now())
    assert await stage.refusal() is ClaimInReviewError


async def test_a_page_that_is_paid_much_later_proves_nothing(
    world: LaneWorld, stage: Stage
) -> None:
    await stage.come()
    await stage.begin()
    world.wait(minutes=30, seconds=1)
    await stage.pay()
    assert await stage.bound() == []
