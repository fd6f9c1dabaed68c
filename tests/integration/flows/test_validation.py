"""Validations of a running stay: once, at once, and never after the money."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from parking.flows.lane_types import ObservationMethod, ReadSource
from parking.flows.payments import prepay
from parking.flows.reviews import review_decision
from parking.flows.validation import StayNamed, ValidatedStay, validate_stay
from parking.kit.errors import InvalidInputError, ParkingError
from parking.payments.errors import PaymentInProgressError
from parking.sessions.errors import SessionUnknownError, StayOverError, StayPaidError
from parking.tariffs import service as tariffs
from tests.factories.lane_world import PLATE, RATE_TABLE, LaneWorld, read_of

VALIDATIONS = [
    {"name": "cinema", "kind": "minutes", "value": 60},
    {"name": "loyalty", "kind": "amount", "value": 300},
    {"name": "guest", "kind": "free"},
]
CUSTOMERS = {
    "name": "customers",
    "eligibility": {"merchants": ["Book Shop"]},
    "collections": [{"lines": [{"kind": "increment", "value": 100, "block": 30, "from": 0}]}],
}


@pytest.fixture
async def paying(world: LaneWorld) -> UUID:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    async with world.context.database.begin() as unit:
        await tariffs.publish(
            unit,
            world.entry.operator_id,
            world.entry.place_id,
            currency="CNY",
            body=RATE_TABLE | {"validations": VALIDATIONS, "variants": [CUSTOMERS]},
        )
    world.wait(seconds=1)
    return driver_id


async def validate(world: LaneWorld, session_id: UUID, name: str, **fields: Any) -> ValidatedStay:  # noqa: ANN401
    stay = StayNamed(session_id=session_id)
    operator_id = world.entry.operator_id
    return await validate_stay(
        world.context, operator_id, stay, validation=name, by="Ada", **fields
    )


async def test_a_validation_counts_once_and_is_told_at_once(world: LaneWorld, paying: UUID) -> None:
    assert paying
    session_id = await world.drive_in()
    world.wait(minutes=85)
    before = (await world.rows("SELECT version FROM sessions"))[0]["version"]
    for _ in range(2):
        granted = await validate(world, session_id, "loyalty")
        assert granted.bill.due.amount_minor == 1200
    # By plate and place it is the same stay.
    named = StayNamed(place_id=world.entry.place_id, plate="京a·88731")
    again = await validate_stay(
        world.context, world.entry.operator_id, named, validation="loyalty", by="Bob"
    )
    assert (again.session_id, again.granted_by) == (session_id, "Ada")
    [row] = await world.rows("SELECT name, granted_by FROM session_validations")
    assert row == {"name": "loyalty", "granted_by": "Ada"}
    [told] = await world.rows("SELECT version, payload FROM outbox WHERE version > :v", v=before)
    assert (told["version"], told["payload"]["validation"]) == (before + 1, "loyalty")
    assert (await validate(world, session_id, "cinema")).bill.due.amount_minor == 200
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 200


async def test_a_merchants_customer_gets_the_merchants_rate(world: LaneWorld, paying: UUID) -> None:
    assert paying
    session_id = await world.drive_in()
    world.wait(minutes=85)
    granted = await validate(world, session_id, "loyalty", merchant="Book Shop")
    assert (granted.bill.variant, granted.bill.due.amount_minor) == ("customers", 0)
    world.wait(minutes=60)
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 200


async def test_a_car_at_the_exit_sees_what_it_owes_now(world: LaneWorld) -> None:
    async with world.context.database.begin() as unit:
        await tariffs.publish(
            unit,
            world.entry.operator_id,
            world.entry.place_id,
            currency="CNY",
            body=RATE_TABLE | {"validations": VALIDATIONS},
        )
    world.wait(seconds=1)
    session_id = await world.drive_in()
    world.wait(minutes=85)
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert (decision.action, decision.display.lines[1]) == ("pay", "15.00 CNY")
    await validate(world, session_id, "loyalty")
    resumed = await world.gate.resume(world.exit, presentation_id)
    assert resumed is not None
    assert resumed.display.lines[1] == "12.00 CNY"
    [told] = await world.rows("SELECT payload FROM outbox ORDER BY version DESC LIMIT 1")
    await validate(world, session_id, "guest")
    [told] = await world.rows("SELECT payload FROM outbox ORDER BY version DESC LIMIT 1")
    assert told["payload"]["channels"] != []
    [command] = await world.gate.pending_commands(world.exit, presentation_id)
    assert command.presentation_id == presentation_id
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_what_cannot_be_validated_is_refused_and_nothing_moves(
    world: LaneWorld, paying: UUID
) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=45)
    refused: list[tuple[type[ParkingError], Any]] = [
        (InvalidInputError, validate(world, session_id, "unheard of")),
        (InvalidInputError, validate(world, session_id, "cinema", merchant=" ")),
        (SessionUnknownError, validate(world, uuid4(), "cinema")),
        (
            SessionUnknownError,
            validate_stay(
                world.context, uuid4(), StayNamed(session_id), validation="cinema", by="Eve"
            ),
        ),
        (
            InvalidInputError,
            validate_stay(
                world.context, uuid4(), StayNamed(plate=PLATE), validation="cinema", by="Eve"
            ),
        ),
    ]
    for error, call in refused:
        with pytest.raises(error):
            await call
    await prepay.prepay(world.context, paying, session_id)
    with pytest.raises(StayPaidError):
        await validate(world, session_id, "cinema")
    await world.drive_out()
    with pytest.raises(StayOverError):
        await validate(world, session_id, "cinema")
    assert await world.count("session_validations") == 0
    [row] = await world.rows("SELECT circumstances FROM sessions")
    assert row["circumstances"] == {}


async def test_a_validation_that_was_granted_can_be_asked_for_again_when_all_is_over(
    world: LaneWorld, paying: UUID
) -> None:
    assert paying
    session_id = await world.drive_in()
    world.wait(minutes=85)
    await validate(world, session_id, "loyalty")
    await world.drive_out()
    assert (await validate(world, session_id, "loyalty")).granted_by == "Ada"
    assert world.provider.captured("CNY") == 1200


async def test_a_validation_and_a_payment_at_once_do_not_cross(
    world: LaneWorld, paying: UUID
) -> None:
    """Either the coupon comes first and less is charged, or the money does and it is refused."""
    session_id = await world.drive_in()
    world.wait(minutes=85)
    granted, paid = await asyncio.gather(
        validate(world, session_id, "loyalty"),
        prepay.prepay(world.context, paying, session_id),
        return_exceptions=True,
    )
    assert not isinstance(paid, BaseException)
    if isinstance(granted, BaseException):
        assert isinstance(granted, PaymentInProgressError | StayPaidError)
        assert (paid.amount.amount_minor, world.provider.captured("CNY")) == (1500, 1500)
    else:
        assert (paid.amount.amount_minor, world.provider.captured("CNY")) == (1200, 1200)
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_what_a_shop_granted_stays_when_the_plate_is_put_right(
    world: LaneWorld, paying: UUID
) -> None:
    assert paying
    guess = ReadSource(ObservationMethod.ANPR, "weights-1", is_fallback=True)
    car = await world.arrive(world.entry)
    await world.gate.decide(world.entry, car, read_of("沪C55555", 0.7), guess)
    await world.barrier(world.entry, car, "opened", "passed")
    await world.clear(world.entry, car)
    world.wait(minutes=85)
    [stay] = await world.rows("SELECT id FROM sessions")
    granted = await validate(world, stay["id"], "loyalty", merchant="Book Shop")
    # Three half hours at 1 CNY for its customers, less 3 CNY.
    assert granted.bill.due.amount_minor == 0
    [review] = await world.rows("SELECT id FROM misread_reviews")
    await review_decision.correct_plate(
        world.context, world.entry.operator_id, review["id"], plate=PLATE, by="Ada", reason="seen"
    )
    assert (await world.drive_out(PLATE)).reason == "zero_due"
    assert await world.rows("SELECT total_minor, state FROM bills") == [
        {"total_minor": 0, "state": "paid"}
    ]
