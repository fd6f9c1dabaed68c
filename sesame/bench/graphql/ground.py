"""Drivers with one running stay each, and the same said once more in rows that hide nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from api.global_ids import encode_id
from parking.drivers import stays
from parking.drivers.models import Driver, SignIn
from parking.flows import driver_view
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.places import service as places
from parking.places.models import Place
from parking.sessions import service as sessions
from parking.tariffs import service as tariffs
from sesame.bench.town import CURRENCY

DRIVERS: Final = 400
PLACES: Final = 20
TIMEZONE: Final = "Asia/Shanghai"
# The last block began five minutes ago: the price changes in 25, after the bench.
STAYED: Final = timedelta(hours=2, minutes=35)
SIGNED_IN: Final = timedelta(days=1)
# Four steps of a ladder, and a bill of four lines.
RATE_TABLE: Final[dict[str, Any]] = {
    "timezone": TIMEZONE,
    "currency": CURRENCY,
    "grace": 10,
    "collections": [
        {
            "name": "all day",
            "lines": [
                {"kind": "increment", "value": 300, "block": 30, "to": 30},
                {"kind": "increment", "value": 400, "block": 30, "from": 30, "to": 60},
                {"kind": "increment", "value": 500, "block": 30, "from": 60, "to": 120},
                {"kind": "increment", "value": 600, "block": 30, "from": 120},
            ],
        }
    ],
    "caps": [{"per": "calendar_day", "amount": 8000}],
}
_TABLES: Final = (
    "CREATE SCHEMA bench",
    "CREATE TABLE bench.drivers (key uuid PRIMARY KEY, id text NOT NULL)",
    """
    CREATE TABLE bench.places (
        key uuid PRIMARY KEY, name text NOT NULL, timezone text NOT NULL, currency text NOT NULL
    )
    """,
    """
    CREATE TABLE bench.stays (
        id text PRIMARY KEY, driver_key uuid NOT NULL REFERENCES bench.drivers,
        place_key uuid NOT NULL REFERENCES bench.places, plate text NOT NULL,
        entered_at timestamptz NOT NULL, state text NOT NULL, due_minor int NOT NULL
    )
    """,
    """
    CREATE TABLE bench.bill_lines (
        stay_id text REFERENCES bench.stays, position int, reason text NOT NULL,
        starts_at timestamptz, amount_minor int NOT NULL, PRIMARY KEY (stay_id, position)
    )
    """,
    "CREATE INDEX ON bench.stays (driver_key) WHERE state = 'ACTIVE'",
)
_ADD_DRIVER: Final = text("INSERT INTO bench.drivers VALUES (:key, :id)")
_ADD_PLACE: Final = text(
    "INSERT INTO bench.places VALUES (:key, :name, :timezone, :currency) ON CONFLICT DO NOTHING"
)
_ADD_STAY: Final = text(
    "INSERT INTO bench.stays VALUES"
    " (:id, :driver_key, :place_key, :plate, :entered_at, :state, :due_minor)"
)
_ADD_LINE: Final = text(
    "INSERT INTO bench.bill_lines VALUES (:stay_id, :position, :reason, :starts_at, :amount_minor)"
)


@dataclass(frozen=True, slots=True)
class Asker:
    """A driver who is signed in."""

    driver_id: UUID
    sign_in_id: UUID


async def furnish(context: ParkingContext) -> list[Asker]:
    """Make DRIVERS drivers, each inside of one of PLACES places, and the rows beside them."""
    async with context.database.begin() as unit:
        for statement in _TABLES:
            await unit.run(text(statement))
        grounds = await _add_places(unit)
        entered_at = unit.now().replace(microsecond=0) - STAYED
        askers = [
            await _enter(unit, number, grounds[number % PLACES], entered_at)
            for number in range(DRIVERS)
        ]
    for asker in askers:
        await _say_again(context, asker.driver_id)
    async with context.database.statements() as session:
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        await session.exec(text("ANALYZE"))  # pyright: ignore[reportCallIssue, reportArgumentType] - plain SQL
    return askers


@dataclass(frozen=True, slots=True)
class _Ground:
    place: Place
    area_id: UUID
    rate_table_id: UUID


async def _add_places(unit: UnitOfWork) -> Sequence[_Ground]:
    operator_id = places.add_operator(unit, "Bench Parking").id
    await unit.session.flush()
    made: list[_Ground] = []
    for number in range(PLACES):
        place = places.add_place(
            unit, operator_id, name=f"Place {number}", timezone=TIMEZONE, currency=CURRENCY
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name="B1", supply=DRIVERS)
        await unit.session.flush()
        table = await tariffs.publish(
            unit, operator_id, place.id, currency=CURRENCY, body=RATE_TABLE
        )
        made.append(_Ground(place, area.id, table.id))
    return made


async def _enter(unit: UnitOfWork, number: int, ground: _Ground, entered_at: datetime) -> Asker:
    now = unit.now()
    driver = Driver(id=new_id(now), created_at=now)
    unit.session.add(driver)
    await unit.session.flush()
    sign_in = SignIn(
        driver_id=driver.id,
        id=new_id(now),
        refresh_digest=b"",
        device_name="Bench",
        created_at=now,
        authenticated_at=now,
        refreshed_at=now,
        expires_at=now + SIGNED_IN,
    )
    unit.session.add(sign_in)
    session = await sessions.begin(
        unit,
        sessions.Arrival(
            operator_id=ground.place.operator_id,
            place_id=ground.place.id,
            area_id=ground.area_id,
            presentation_id=new_id(now),
            plate_index=new_id(now),
            plate_text=f"京B{number:05d}",
            driver_id=driver.id,
            rate_table_id=ground.rate_table_id,
            entered_at=entered_at,
        ),
    )
    await stays.begin_stay(
        unit,
        driver.id,
        operator_id=session.operator_id,
        session_id=session.id,
        entered_at=entered_at,
    )
    return Asker(driver.id, sign_in.id)


async def _say_again(context: ParkingContext, driver_id: UUID) -> None:
    """Store what the domain says of a driver's stays, as if nothing ever changed."""
    views = await driver_view.active_sessions(context, driver_id)
    async with context.database.begin() as unit:
        await unit.run(_ADD_DRIVER, {"key": driver_id, "id": encode_id("Viewer", driver_id)})
        for view in views:
            await _say_stay(unit, driver_id, view)


async def _say_stay(unit: UnitOfWork, driver_id: UUID, view: driver_view.SessionView) -> None:
    place, stay_id = view.place, encode_id("Session", view.id)
    told = {"name": place.name, "timezone": place.timezone, "currency": place.currency}
    await unit.run(_ADD_PLACE, {"key": place.id, **told})
    stay = {
        "id": stay_id,
        "driver_key": driver_id,
        "place_key": place.id,
        "plate": view.plate,
        "entered_at": view.entered_at,
        "state": view.state.name,
        "due_minor": view.bill.due.amount_minor,
    }
    await unit.run(_ADD_STAY, stay)
    for position, line in enumerate(view.bill.lines):
        row = {
            "stay_id": stay_id,
            "position": position,
            "reason": line.reason,
            "starts_at": line.starts_at,
            "amount_minor": line.amount_minor,
        }
        await unit.run(_ADD_LINE, row)
