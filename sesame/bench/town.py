"""Ground for a bench: places full of cars whose drivers pay by mandate, made by the services."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import httpx

from parking.drivers import stays
from parking.drivers.models import Driver
from parking.flows.context import ParkingContext
from parking.flows.payments import mandates
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.places import service as places
from parking.places.models import Direction, Place
from parking.plates import service as plates
from parking.sessions import service as sessions
from parking.tariffs import service as tariffs
from sesame.bench.cars import Car
from sesame.bench.errors import BenchFailedError

CURRENCY: Final = "CNY"
# Free for 10 minutes, then 5 CNY each started half hour, at most 30 CNY a day.
RATE_TABLE: Final[dict[str, Any]] = {
    "timezone": "Asia/Shanghai",
    "currency": CURRENCY,
    "grace": 10,
    "collections": [
        {"name": "all day", "lines": [{"kind": "increment", "value": 500, "block": 30, "from": 0}]}
    ],
    "caps": [{"per": "calendar_day", "amount": 3000}],
}
# At 20 exits a second a lane gets a car every 2 seconds: less than a real barrier needs.
LANES_MIN: Final = 40
STAYED: Final = timedelta(hours=2, minutes=40)
STAFF: Final = "bench"
PAGE_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ExitLane:
    """An exit lane and the token of its agent."""

    operator_id: UUID
    lane_id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class Stay:
    """A car inside, and the lane by which it will leave."""

    car: Car
    lane: ExitLane
    session_id: UUID


@dataclass(frozen=True, slots=True)
class _Owner:
    car: Car
    driver_id: UUID
    plate_index: UUID


async def furnish(context: ParkingContext, cars: Sequence[Car], stays_wanted: int) -> list[Stay]:
    """Make an operator with as many places as it takes, each with different cars inside.

    A plate is inside of a place once, so that many exits with few plates need many places. The
    stays come in an order in which neighbours leave by different lanes.
    """
    places_wanted = min(stays_wanted, max(LANES_MIN, -(-stays_wanted // len(cars))))
    per_place_wanted = -(-stays_wanted // places_wanted)
    owners = [await _add_owner(context, car) for car in cars]
    async with context.database.begin() as unit:
        operator_id = places.add_operator(unit, "Bench Parking").id
    per_place: list[list[Stay]] = []
    for number in range(places_wanted):
        # Each place begins with another car, so that all of them are seen at every rate.
        inside = [owners[(number + index) % len(owners)] for index in range(per_place_wanted)]
        async with context.database.begin() as unit:
            per_place.append(await _fill(unit, operator_id, f"Place {number + 1}", inside))
    # The first car of every place, then the second of every place, and so on.
    ordered = [stay for row in zip(*per_place, strict=True) for stay in row]
    return ordered[:stays_wanted]


async def _fill(
    unit: UnitOfWork, operator_id: UUID, name: str, owners: Sequence[_Owner]
) -> list[Stay]:
    place = places.add_place(
        unit, operator_id, name=name, timezone=RATE_TABLE["timezone"], currency=CURRENCY
    )
    await unit.session.flush()
    area = places.add_area(unit, place, name="B1", supply=len(owners))
    await unit.session.flush()
    new = places.add_lane(unit, area, name="Exit", direction=Direction.EXIT)
    table = await tariffs.publish(unit, operator_id, place.id, currency=CURRENCY, body=RATE_TABLE)
    lane = ExitLane(operator_id, new.lane.id, new.device_token)
    return [
        Stay(owner.car, lane, await _enter(unit, place, area.id, table.id, owner))
        for owner in owners
    ]


async def _enter(
    unit: UnitOfWork, place: Place, area_id: UUID, rate_table_id: UUID, owner: _Owner
) -> UUID:
    entered_at = unit.now() - STAYED
    session = await sessions.begin(
        unit,
        sessions.Arrival(
            operator_id=place.operator_id,
            place_id=place.id,
            area_id=area_id,
            # Of this moment: there may be no partition for an id of last month.
            presentation_id=new_id(unit.now()),
            plate_index=owner.plate_index,
            plate_text=owner.car.plate,
            driver_id=owner.driver_id,
            rate_table_id=rate_table_id,
            entered_at=entered_at,
        ),
    )
    await stays.begin_stay(
        unit,
        owner.driver_id,
        operator_id=place.operator_id,
        session_id=session.id,
        entered_at=entered_at,
    )
    return session.id


async def _add_owner(context: ParkingContext, car: Car) -> _Owner:
    """Add a driver with the car's plate bound and an active mandate."""
    async with context.database.begin() as unit:
        driver = Driver(id=new_id(unit.now()), created_at=unit.now())
        unit.session.add(driver)
        claim = await plates.claim_plate(unit, driver.id, car.plate)
        await plates.approve_claim(unit, claim.plate_index, claim.claim_id, staff_name=STAFF)
    await _permit(context, driver.id)
    return _Owner(car, driver.id, claim.plate_index)


async def _permit(context: ParkingContext, driver_id: UUID) -> None:
    """Authorize as a driver does, on the page of the provider's stand-in."""
    view = await mandates.authorize(context, driver_id)
    if view.confirmation_url is None:
        raise BenchFailedError("the stand-in opened no page for the mandate")
    async with httpx.AsyncClient(timeout=PAGE_TIMEOUT_S, trust_env=False) as client:
        answer = await client.post(view.confirmation_url)
    if answer.is_error:
        raise BenchFailedError(f"the stand-in's page answered {answer.status_code}")
    await mandates.confirm(context, driver_id, view.id, view.terms.digest(context.vault, "en"))
    await mandates.sweep(context)
