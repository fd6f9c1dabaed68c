"""Drivers with one running stay each, all at one place."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.drivers.models import Driver, DriverStay, SignIn
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.places import service as places
from parking.places.models import Place
from parking.sessions.models import Session, SessionState
from parking.sessions.service import PLATE_CONTEXT
from parking.tariffs import service as tariffs
from sesame.bench.graphql.ground import RATE_TABLE, SIGNED_IN, STAYED, TIMEZONE
from sesame.bench.town import CURRENCY

_PLATE: Final = "京B00001"
# As `parking.sessions.events.tell` does.
_CHANGE: Final = text("""
    WITH changed AS (
        UPDATE sessions SET version = version + 1
        WHERE operator_id = :operator_id AND id = :session_id
        RETURNING id, version
    )
    INSERT INTO outbox (owner_id, id, type, subject_id, version, payload, occurred_at, attempts,
        next_at, done_at)
    SELECT :operator_id, :event_id, 'SessionBillChanged', id, version, '{}', :now, 1, :now, :now
    FROM changed
""")
_COUNT: Final = text("""
    UPDATE space_pools SET occupied = occupied + 1 WHERE operator_id = :operator_id
""")
_ADD_POOL: Final = text("""
    INSERT INTO space_pools (operator_id, id, place_id, area_id, spaces, occupied, kept,
        is_full, reopen_free, keeps_closed, below_zero, overflowed, counted_at)
    VALUES (:operator_id, :area_id, :place_id, :area_id, 100000, 0, 0, false, 1, false, 0, 0, :now)
""")


@dataclass(frozen=True, slots=True)
class Watcher:
    """A driver who is signed in, inside."""

    driver_id: UUID
    sign_in_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Ground:
    """The place, and who is inside."""

    operator_id: UUID
    place_id: UUID
    watchers: tuple[Watcher, ...]


async def furnish(context: ParkingContext, drivers: int) -> Ground:
    """Make a place, and drivers who are all inside."""
    async with context.database.begin() as unit:
        operator_id = places.add_operator(unit, "Bench Parking").id
        await unit.session.flush()
        place = places.add_place(
            unit, operator_id, name="Bench", timezone=TIMEZONE, currency=CURRENCY
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name="B1", supply=drivers)
        await unit.session.flush()
        table = await tariffs.publish(
            unit, operator_id, place.id, currency=CURRENCY, body=RATE_TABLE
        )
        values = {"operator_id": operator_id, "area_id": area.id, "place_id": place.id}
        await unit.run(_ADD_POOL, values | {"now": unit.now()})
        watchers = await _add_watchers(unit, place, table.id, drivers)
    async with context.database.statements() as session:
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        await session.exec(text("ANALYZE"))  # pyright: ignore[reportCallIssue, reportArgumentType] - plain SQL
    return Ground(operator_id, place.id, watchers)


async def change_stay(context: ParkingContext, ground: Ground, session_id: UUID) -> None:
    """Let something happen to a stay."""
    async with context.database.begin() as unit:
        values = {"operator_id": ground.operator_id, "session_id": session_id}
        await unit.run(_CHANGE, values | {"event_id": new_id(unit.now()), "now": unit.now()})


async def count_car(context: ParkingContext, ground: Ground) -> None:
    """Count a car in."""
    async with context.database.begin() as unit:
        await unit.run(_COUNT, {"operator_id": ground.operator_id})


async def _add_watchers(
    unit: UnitOfWork, place: Place, table_id: UUID, drivers: int
) -> tuple[Watcher, ...]:
    now = unit.now()
    watchers = tuple(Watcher(new_id(now), new_id(now), new_id(now)) for _ in range(drivers))
    unit.session.add_all(Driver(id=one.driver_id, created_at=now) for one in watchers)
    await unit.session.flush()
    unit.session.add_all(_sign_in(one, now) for one in watchers)
    sealed = unit.vault.seal(_PLATE, context=PLATE_CONTEXT)
    entered_at = now.replace(microsecond=0) - STAYED
    for one in watchers:
        session = Session(
            operator_id=place.operator_id,
            id=one.session_id,
            place_id=place.id,
            plate_index=one.session_id,
            plate_sealed=sealed,
            driver_id=one.driver_id,
            rate_table_id=table_id,
            entry_presentation_id=one.session_id,
            state=SessionState.ACTIVE,
            entered_at=entered_at,
        )
        stay = DriverStay(
            driver_id=one.driver_id,
            session_id=one.session_id,
            operator_id=place.operator_id,
            entered_at=entered_at,
        )
        unit.session.add_all((session, stay))
    await unit.session.flush()
    return watchers


def _sign_in(one: Watcher, now: datetime) -> SignIn:
    return SignIn(
        driver_id=one.driver_id,
        id=one.sign_in_id,
        refresh_digest=b"",
        device_name="Bench",
        created_at=now,
        authenticated_at=now,
        refreshed_at=now,
        expires_at=now + SIGNED_IN,
    )
