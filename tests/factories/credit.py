"""An operator that lets drivers pay after departure, and a partner with a place of its own."""

from dataclasses import dataclass
from uuid import UUID

from parking.flows.lane import LaneFlows
from parking.flows.payments import credit_terms
from parking.flows.payments.credit_terms import NewPolicy
from parking.payments import partners
from parking.payments.credit_models import CreditRequirement
from parking.places import service as places
from parking.places.models import Direction
from parking.tariffs import service as tariffs
from tests.factories.lane_world import RATE_TABLE, LaneWorld


async def allow_credit(
    world: LaneWorld,
    *,
    first_minor: int = 2000,
    most_minor: int = 10_000,
    step_minor: int = 1000,
    history_bills: int = 0,
    requirement: CreditRequirement = CreditRequirement.EITHER,
    is_open: bool = True,
    place_ids: tuple[UUID, ...] = (),
) -> None:
    policy = NewPolicy(
        currency="CNY",
        is_open=is_open,
        requirement=requirement,
        first_minor=first_minor,
        step_bills=2,
        step_minor=step_minor,
        most_minor=most_minor,
        history_bills=history_bills,
        arrears_days=30,
        place_ids=place_ids,
    )
    await credit_terms.set_policy(world.context, world.entry.operator_id, policy, by="Ada")


async def credit_of(world: LaneWorld, driver_id: UUID) -> tuple[int, int]:
    """Return what a driver uses, and what the open bills say that they use."""
    [account] = await world.rows(
        "SELECT used_minor, limit_minor FROM credit_accounts WHERE driver_id = :id", id=driver_id
    )
    [bills] = await world.rows(
        "SELECT coalesce(sum(credit_minor), 0)::bigint AS used FROM bills WHERE driver_id = :id",
        id=driver_id,
    )
    assert account["used_minor"] <= account["limit_minor"]
    return account["used_minor"], bills["used"]


@dataclass(frozen=True, slots=True)
class Partner:
    """Another operator with one place."""

    operator_id: UUID
    place_id: UUID
    world: LaneWorld


async def add_partner(world: LaneWorld, *, is_agreed: bool = True) -> Partner:
    """Add an operator whose place takes the same money; `world` of it shares everything else."""
    gate = LaneFlows(world.context)
    async with world.context.database.begin() as unit:
        operator = places.add_operator(unit, "Hillside Parking")
        await unit.session.flush()
        place = places.add_place(
            unit, operator.id, name="Hillside", timezone="Asia/Shanghai", currency="CNY"
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name="P1", supply=5)
        await unit.session.flush()
        made = [
            places.add_lane(unit, area, name="In", direction=Direction.ENTRY),
            places.add_lane(unit, area, name="Out", direction=Direction.EXIT),
        ]
        await tariffs.publish(unit, operator.id, place.id, currency="CNY", body=RATE_TABLE)
        if is_agreed:
            await partners.propose(unit, world.entry.operator_id, operator.id, by="Ada")
            await unit.session.flush()
            await partners.accept(unit, operator.id, world.entry.operator_id, by="Bob")
    lanes = [await gate.authenticate(new.lane.id, new.device_token) for new in made]
    for lane in lanes:
        await gate.connect(lane, "bridge-1")
    entry, leaving = lanes
    there = LaneWorld(
        world.context, world.clock, world.provider, gate, entry, leaving, leaving, entry
    )
    return Partner(operator.id, place.id, there)
