"""Claims, lane codes and bindings on a real database, rivals included."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from parking.events.models import OutboxRow
from parking.kit.errors import InvalidInputError, ParkingError
from parking.plates import service
from parking.plates.errors import (
    ClaimExpiredError,
    ClaimInReviewError,
    ClaimNotFoundError,
    ClaimRefusedError,
    ClaimsExhaustedError,
    LaneCodeWrongError,
    PlateAlreadyBoundError,
    PlateNotFoundError,
)
from parking.plates.models import BindingClaim, DriverPlate, LaneCode, PlateBinding
from parking.plates.service import BoundPlate, LanePresentation, PlateClaim
from tests.factories.identity import World, open_world

PLATE = "BSM1234"


@pytest.fixture
async def world(database_url: str) -> AsyncGenerator[World]:
    async with open_world(database_url) as world:
        yield world


@pytest.fixture
async def driver(world: World) -> UUID:
    return await world.add_driver()


@pytest.fixture
async def rival(world: World) -> UUID:
    return await world.add_driver()


def presentation() -> LanePresentation:
    return LanePresentation(operator_id=uuid4(), lane_id=uuid4(), presentation_id=uuid4())


async def claim(world: World, driver_id: UUID, plate: str = PLATE) -> PlateClaim:
    async with world.database.begin() as unit:
        return await service.claim_plate(unit, driver_id, plate)


async def lane_code(
    world: World, plate: str = PLATE, at: LanePresentation | None = None
) -> str | None:
    async with world.database.begin() as unit:
        return await service.issue_lane_code(unit, plate, at or presentation())


async def shown_code(world: World, plate: str = PLATE) -> str:
    code = await lane_code(world, plate)
    assert code is not None
    return code


async def confirm(
    world: World, driver_id: UUID, claim_id: UUID, code: str
) -> BoundPlate | ParkingError:
    async with world.database.begin() as unit:
        return await service.confirm_claim(unit, driver_id, claim_id, code)


async def bind(world: World, driver_id: UUID, plate: str = PLATE) -> BoundPlate:
    claimed = await claim(world, driver_id, plate)
    bound = await confirm(world, driver_id, claimed.claim_id, await shown_code(world, plate))
    assert isinstance(bound, BoundPlate)
    return bound


async def unbind(world: World, driver_id: UUID, binding_id: UUID) -> None:
    world.clock.advance(timedelta(seconds=1))
    async with world.database.begin() as unit:
        await service.unbind_plate(unit, driver_id, binding_id)


async def owner(world: World, plate: str = PLATE) -> UUID | None:
    async with world.database.begin() as unit:
        return await service.active_binding(unit, service.plate_index(unit.vault, plate))


async def plates(world: World, driver_id: UUID) -> list[str]:
    async with world.database.begin() as unit:
        return [plate.plate for plate in await service.list_plates(unit, driver_id)]


async def events(world: World) -> list[str]:
    async with world.database.begin() as unit:
        rows = await unit.session.exec(select(OutboxRow.type).order_by(col(OutboxRow.id)))
        return list(rows.all())


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def test_a_code_from_the_lane_binds(world: World, driver: UUID) -> None:
    claimed = await claim(world, driver, "b-sm 1234")
    assert (claimed.plate, claimed.in_review) == (PLATE, False)
    assert claimed.expires_at == world.clock.now() + timedelta(hours=24)
    assert await owner(world) is None
    bound = await confirm(world, driver, claimed.claim_id, await shown_code(world))
    assert isinstance(bound, BoundPlate)
    assert bound.plate == PLATE
    assert bound.bound_at == world.clock.now()
    assert await owner(world, "B-SM 1234") == driver
    assert await plates(world, driver) == [PLATE]
    assert await events(world) == ["PlateBound"]
    assert await confirm(world, driver, claimed.claim_id, "anything") == bound
    assert await events(world) == ["PlateBound"]


async def test_a_dump_shows_neither_plate_nor_code(world: World, driver: UUID) -> None:
    claimed = await claim(world, driver)
    code = await shown_code(world)
    await confirm(world, driver, claimed.claim_id, code)
    async with world.database.begin() as unit:
        rows = [
            list((await unit.session.exec(select(table))).all())
            for table in (PlateBinding, DriverPlate, BindingClaim, LaneCode, OutboxRow)
        ]
    assert [len(found) for found in rows] == [1, 1, 1, 1, 1]
    assert PLATE not in repr(rows)
    assert code not in repr(rows)


async def test_no_code_is_shown_for_a_plate_that_nobody_claims(world: World) -> None:
    assert await lane_code(world) is None


async def test_one_presentation_has_one_code_for_ten_minutes(world: World, driver: UUID) -> None:
    claimed = await claim(world, driver)
    at = presentation()
    first = await lane_code(world, at=at)
    assert first is not None
    world.clock.advance(timedelta(minutes=9))
    assert await lane_code(world, at=at) == first
    world.clock.advance(timedelta(minutes=1))
    refused = await confirm(world, driver, claimed.claim_id, first)
    assert isinstance(refused, LaneCodeWrongError)
    second = await lane_code(world, at=at)
    assert second is not None
    assert isinstance(await confirm(world, driver, claimed.claim_id, second), BoundPlate)
    assert await lane_code(world, at=at) is None


async def test_five_wrong_codes_send_the_claim_to_staff(world: World, driver: UUID) -> None:
    claimed = await claim(world, driver)
    code = await shown_code(world)
    left: list[int] = []
    for _ in range(5):
        refused = await confirm(world, driver, claimed.claim_id, wrong(code))
        assert isinstance(refused, LaneCodeWrongError)
        left.append(refused.attempts_left)
    assert left == [4, 3, 2, 1, 0]
    refused = await confirm(world, driver, claimed.claim_id, code)
    assert isinstance(refused, ClaimInReviewError)
    again = await claim(world, driver)
    assert (again.claim_id, again.in_review) == (claimed.claim_id, True)
    assert await lane_code(world) is None
    assert (await owner(world), await events(world)) == (None, [])


async def test_a_claim_lives_a_day(world: World, driver: UUID) -> None:
    claimed = await claim(world, driver)
    world.clock.advance(timedelta(hours=24))
    assert await lane_code(world) is None
    refused = await confirm(world, driver, claimed.claim_id, "123456")
    assert isinstance(refused, ClaimExpiredError)
    assert (await claim(world, driver)).claim_id != claimed.claim_id


async def test_a_driver_has_five_open_claims(world: World, driver: UUID) -> None:
    first = await claim(world, driver, "AB 1")
    for number in range(2, 6):
        await claim(world, driver, f"AB {number}")
    with pytest.raises(ClaimsExhaustedError) as refused:
        await claim(world, driver, "AB 6")
    assert str(refused.value) == "at most 5 plates may wait for their proof at once"
    assert (await claim(world, driver, "ab-1")).claim_id == first.claim_id


async def test_open_claims_are_five_also_at_the_same_moment(world: World, driver: UUID) -> None:
    results = await asyncio.gather(
        *(claim(world, driver, f"AB {number}") for number in range(9)), return_exceptions=True
    )
    assert sum(isinstance(result, PlateClaim) for result in results) == 5
    assert sum(isinstance(result, ClaimsExhaustedError) for result in results) == 4


async def test_claiming_says_nothing_about_other_drivers(
    world: World, driver: UUID, rival: UUID
) -> None:
    await bind(world, driver)
    bound_plate, free_plate = await claim(world, rival, PLATE), await claim(world, rival, "AB 1")
    for claimed in (bound_plate, free_plate):
        assert claimed.expires_at == world.clock.now() + timedelta(hours=24)
        assert not claimed.in_review
        refused = await confirm(world, rival, claimed.claim_id, "123456")
        assert isinstance(refused, LaneCodeWrongError)
        assert refused.attempts_left == 4


async def test_a_claim_belongs_to_its_driver(world: World, driver: UUID, rival: UUID) -> None:
    claimed = await claim(world, driver)
    code = await shown_code(world)
    for claim_id in (claimed.claim_id, uuid4()):
        assert isinstance(await confirm(world, rival, claim_id, code), ClaimNotFoundError)
    assert isinstance(await confirm(world, driver, claimed.claim_id, code), BoundPlate)


async def test_a_bound_plate_is_left_to_staff(world: World, driver: UUID, rival: UUID) -> None:
    await bind(world, driver)
    claimed = await claim(world, rival)
    refused = await confirm(world, rival, claimed.claim_id, await shown_code(world))
    assert isinstance(refused, ClaimInReviewError)
    assert str(refused) == "staff will check the vehicle licence before this plate is bound"
    assert await owner(world) is None
    assert (await plates(world, driver), await plates(world, rival)) == ([PLATE], [])
    assert sorted(await events(world)) == ["PlateBound", "PlatePaymentPaused"]
    async with world.database.begin() as unit:
        waiting = await service.list_claims_of_plate(unit, "b sm 1234")
    assert [(one.claim_id, one.in_review) for one in waiting] == [(claimed.claim_id, True)]
    assert waiting[0].expires_at == world.clock.now() + timedelta(days=30)


async def test_a_plate_may_be_bound_again_after_unbinding(
    world: World, driver: UUID, rival: UUID
) -> None:
    bound = await bind(world, driver)
    await unbind(world, driver, bound.binding_id)
    assert await owner(world) is None
    await unbind(world, driver, bound.binding_id)
    world.clock.advance(timedelta(seconds=1))
    await bind(world, rival)
    # An old unbinding, sent again, must not touch the new owner.
    await unbind(world, driver, bound.binding_id)
    assert await owner(world) == rival
    assert (await plates(world, driver), await plates(world, rival)) == ([], [PLATE])
    assert await events(world) == ["PlateBound", "PlateUnbound", "PlateBound"]


async def test_nobody_unbinds_for_somebody_else(world: World, driver: UUID, rival: UUID) -> None:
    bound = await bind(world, driver)
    for binding_id in (bound.binding_id, uuid4()):
        with pytest.raises(PlateNotFoundError):
            await unbind(world, rival, binding_id)
    assert await owner(world) == driver


async def test_ones_own_plate_is_not_claimed_again(world: World, driver: UUID) -> None:
    await bind(world, driver)
    with pytest.raises(PlateAlreadyBoundError):
        await claim(world, driver)


@pytest.mark.parametrize("same_lane", [True, False])
async def test_two_drivers_confirm_at_the_same_moment(
    world: World, driver: UUID, rival: UUID, same_lane: bool
) -> None:
    claims = [(who, await claim(world, who)) for who in (driver, rival)]
    first = await shown_code(world)
    codes = [first, first if same_lane else await shown_code(world)]
    results = await asyncio.gather(
        *(
            confirm(world, who, claimed.claim_id, code)
            for (who, claimed), code in zip(claims, codes, strict=True)
        )
    )
    winners = [result for result in results if isinstance(result, BoundPlate)]
    losers = [result for result in results if isinstance(result, ParkingError)]
    assert (len(winners), len(losers)) == (1, 1)
    assert type(losers[0]) is (LaneCodeWrongError if same_lane else ClaimInReviewError)
    winner = (driver, rival)[results.index(winners[0])]
    assert await plates(world, winner) == [PLATE]
    # Both have shown that they were in the car: until staff decide, gates take it for nobody's.
    assert await owner(world) == (winner if same_lane else None)
    paused = [] if same_lane else ["PlatePaymentPaused"]
    assert sorted(await events(world)) == ["PlateBound", *paused]


async def test_staff_approve_with_the_vehicle_licence(
    world: World, driver: UUID, rival: UUID
) -> None:
    await bind(world, driver)
    claimed = await claim(world, rival)
    world.clock.advance(timedelta(seconds=1))
    for _ in range(2):
        async with world.database.begin() as unit:
            bound = await service.approve_claim(
                unit, claimed.plate_index, claimed.claim_id, staff_name="Ada"
            )
        assert bound.plate == PLATE
    assert await owner(world) == rival
    assert (await plates(world, driver), await plates(world, rival)) == ([], [PLATE])
    assert sorted(await events(world)) == ["PlateBound", "PlateBound", "PlateUnbound"]
    async with world.database.begin() as unit:
        row = await unit.session.get_one(BindingClaim, (claimed.plate_index, claimed.claim_id))
    assert row.decided_by == "Ada"


async def test_staff_refuse(world: World, driver: UUID) -> None:
    claimed = await claim(world, driver)
    code = await shown_code(world)
    key = claimed.plate_index, claimed.claim_id
    for _ in range(2):
        async with world.database.begin() as unit:
            await service.refuse_claim(unit, *key, staff_name="Ada")
    assert isinstance(await confirm(world, driver, claimed.claim_id, code), ClaimRefusedError)
    async with world.database.begin() as unit:
        with pytest.raises(ClaimRefusedError):
            await service.approve_claim(unit, *key, staff_name="Ada")
        with pytest.raises(ClaimNotFoundError):
            await service.approve_claim(unit, claimed.plate_index, uuid4(), staff_name="Ada")
    assert (await owner(world), await events(world)) == (None, ["PlateClaimRefused"])


async def test_no_claim_on_what_is_no_plate(world: World, driver: UUID) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await claim(world, driver, "?")
    assert refused.value.field == "plate"
    async with world.database.begin() as unit:
        assert (await unit.session.exec(select(BindingClaim))).all() == []
