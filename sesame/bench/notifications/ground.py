"""Drivers with phones of every temper, and the deductions that they must be told of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.drivers.models import Device, Driver, PhoneNumber, TargetKind
from parking.drivers.rules import PHONE_CONTEXT, TARGET_CONTEXT, target_index
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.notices import preferences
from parking.notices.quiet_hours import QuietHours

BATCH: Final = 200
ZONE: Final = "Asia/Shanghai"
QUIET_HALF: Final = timedelta(hours=6)
# One letter a driver, over and over: what its phone is, by the prefix that the stand-in knows.
TEMPERS: Final = (
    "unregistered",
    "busy",
    "busy",
    "away",
    "away",
    "cut",
    "cut",
    "",
    *("ok",) * 12,
)
_QUIET_EACH: Final = 4


@dataclass(frozen=True, slots=True)
class BenchDriver:
    """One driver.

    Attributes:
        temper: Of the phone; empty where there is none.
    """

    id: UUID
    temper: str
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class Told:
    """The events: deductions, and for drivers who want to be left alone one that can wait."""

    deductions: tuple[UUID, ...]
    waiting: tuple[UUID, ...]


async def add_drivers(context: ParkingContext, count: int) -> list[BenchDriver]:
    """Add drivers, each with a number, most with a phone, some with quiet hours around now."""
    drivers: list[BenchDriver] = []
    for start in range(0, count, BATCH):
        async with context.database.begin() as unit:
            numbers = range(start, min(start + BATCH, count))
            drivers.extend([await _add_driver(unit, number) for number in numbers])
    return drivers


async def add_events(
    context: ParkingContext, drivers: Sequence[BenchDriver], deductions: int
) -> Told:
    """Commit the deductions, in turn over the drivers, as they come from so many exits."""
    operator_id = new_id(context.clock.now())
    told: list[UUID] = []
    for start in range(0, deductions, BATCH):
        async with context.database.begin() as unit:
            for number in range(start, min(start + BATCH, deductions)):
                driver = drivers[number % len(drivers)]
                told.append(_append(unit, operator_id, driver, EventType.PAYMENT_CHARGED))
    quiet = [driver for driver in drivers if driver.is_quiet]
    async with context.database.begin() as unit:
        kind = EventType.PAYMENT_REFUNDED
        waiting = [_append(unit, operator_id, driver, kind) for driver in quiet]
    return Told(tuple(told), tuple(waiting))


async def _add_driver(unit: UnitOfWork, number: int) -> BenchDriver:
    now = unit.now()
    driver = BenchDriver(new_id(now), TEMPERS[number % len(TEMPERS)], number % _QUIET_EACH == 0)
    unit.session.add(Driver(id=driver.id, created_at=now))
    await unit.session.flush()
    phone = f"+49151{number:08d}"
    unit.session.add(
        PhoneNumber(
            phone_index=unit.vault.blind_index(PHONE_CONTEXT, phone),
            driver_id=driver.id,
            phone_sealed=unit.vault.seal(phone, context=PHONE_CONTEXT),
            verified_at=now,
        )
    )
    if driver.temper:
        target = f"{driver.temper}-{number}"
        device = Device(
            driver_id=driver.id,
            id=new_id(now),
            target_kind=TargetKind.FID,
            target_index=target_index(unit.vault, target),
            target_sealed=unit.vault.seal(target, context=TARGET_CONTEXT),
            platform="android",
            registered_at=now,
        )
        unit.session.add(device)
    if driver.is_quiet:
        await preferences.set_quiet_hours(unit, driver.id, _hours_around(now))
    return driver


def _append(unit: UnitOfWork, operator_id: UUID, driver: BenchDriver, kind: EventType) -> UUID:
    now = unit.now()
    event = Event(
        id=new_id(now),
        type=kind,
        owner_id=operator_id,
        subject_id=new_id(now),
        occurred_at=now,
        payload={
            "driver_id": str(driver.id),
            "amount_minor": 1250,
            "currency": "CNY",
            "provider": "acquirer",
            "place_name": "Bench",
            "timezone": ZONE,
            "charged_at": now.isoformat(),
        },
    )
    outbox.append(unit, event)
    return event.id


def _hours_around(now: datetime) -> QuietHours:
    wall = now.astimezone(ZoneInfo(ZONE))
    starts_at, ends_at = (wall - QUIET_HALF).time(), (wall + QUIET_HALF).time()
    return QuietHours(starts_at.replace(microsecond=0), ends_at.replace(microsecond=0), ZONE)
