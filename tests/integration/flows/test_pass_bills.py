"""A pass's bill follows from its basis, also after something went back."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from parking.flows.passes import pass_changes
from parking.flows.passes.pass_basis import PassBasis, recompute
from parking.flows.proof import verification
from parking.kit.errors import InvalidInputError
from parking.passes.periods import PeriodKind
from tests.factories.lane_world import LaneWorld
from tests.factories.pass_desk import PRICE_MINOR, PassDesk


@pytest.fixture
def desk(world: LaneWorld) -> PassDesk:
    return PassDesk(world)


async def answers(world: LaneWorld, bill_id: UUID) -> dict[str, bool | None]:
    async with world.context.database.begin() as unit:
        found = await verification.verify(unit, world.entry.operator_id, bill_id)
    return {str(check.name): check.ok for check in found.checks}


async def bills(world: LaneWorld) -> list[dict[str, Any]]:
    return await world.rows("SELECT * FROM bills ORDER BY issued_at, version")


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"is_prorated": True},
        {"period": PeriodKind.DAYS, "period_days": 7},
    ],
)
async def test_every_bill_of_a_pass_can_be_recomputed(
    world: LaneWorld, desk: PassDesk, terms: dict[str, Any]
) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product(**terms)
    right_id = await desk.buy(driver_id, product)
    paid_until = (await desk.right(right_id))["paid_until"]
    world.clock.advance(paid_until - world.clock.now() + timedelta(minutes=1))
    await desk.work()
    issued = await bills(world)
    assert [bill["basis"]["period"] for bill in issued] == [1, 2]
    assert issued[0]["priced_until"] == paid_until
    for bill in issued:
        found = await answers(world, bill["id"])
        assert found["basis"] is found["lines"] is found["total"] is found["ledger"] is True
        assert False not in found.values()


async def test_a_bill_that_was_lowered_still_follows_from_its_basis(
    world: LaneWorld, desk: PassDesk
) -> None:
    driver_id = await desk.buyer()
    right_id = await desk.buy(driver_id, await desk.add_product())
    done = await pass_changes.cancel(world.context, driver_id, right_id, immediately=True)
    first, lowered = await bills(world)
    assert (first["state"], lowered["state"]) == ("corrected", "paid")
    assert lowered["total_minor"] == PRICE_MINOR - done.refund_minor
    assert [line["reason"] for line in lowered["lines"]] == ["pass_period", "waived"]
    for bill in (first, lowered):
        assert False not in (await answers(world, bill["id"])).values()


async def test_a_changed_basis_is_found(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    await desk.buy(driver_id, await desk.add_product(is_prorated=True))
    [bill] = await bills(world)
    basis = PassBasis.from_json(bill["basis"])
    assert recompute(basis).due.amount_minor == bill["total_minor"]
    dearer = PassBasis.from_json(bill["basis"] | {"price_minor": PRICE_MINOR * 2})
    assert recompute(dearer).due.amount_minor != bill["total_minor"]
    with pytest.raises(InvalidInputError, match=r"basis\.price_minor"):
        PassBasis.from_json(bill["basis"] | {"price_minor": 1.5})
