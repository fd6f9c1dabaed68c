"""Drivers, devices and events for the tests of notifications."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from parking.drivers.models import Device, Driver, PhoneNumber, TargetKind
from parking.drivers.rules import PHONE_CONTEXT
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.kit.crypto import Vault
from parking.kit.database import Database
from parking.kit.ids import new_id
from tests.factories.push_targets import sealed_target

VAULT: Final = Vault(field_key=b"f" * 32, index_key=b"i" * 32)
OPERATOR: Final = UUID(int=0x0A)


async def add_driver(
    database: Database, *targets: str, locale: str = "en", phone_number: str | None = None
) -> UUID:
    """Add a driver with one device for each target, and a number; returns the driver's id."""
    async with database.begin() as unit:
        driver = Driver(id=new_id(unit.now()), locale=locale, created_at=unit.now())
        unit.session.add(driver)
        await unit.session.flush()
        for number, target in enumerate(targets):
            unit.session.add(
                Device(
                    driver_id=driver.id,
                    id=new_id(unit.now()),
                    target_kind=TargetKind.FID,
                    **sealed_target(unit.vault, target),
                    platform="android",
                    registered_at=unit.now() + timedelta(milliseconds=number),
                )
            )
        if phone_number is not None:
            unit.session.add(
                PhoneNumber(
                    phone_index=unit.vault.blind_index(PHONE_CONTEXT, phone_number),
                    driver_id=driver.id,
                    phone_sealed=unit.vault.seal(phone_number, context=PHONE_CONTEXT),
                    verified_at=unit.now(),
                )
            )
        return driver.id


def charged(at: datetime, driver_id: UUID | None, **changes: object) -> Event:
    """Return an event of a charge."""
    payload: dict[str, Any] = {
        "driver_id": None if driver_id is None else str(driver_id),
        "amount_minor": 1250,
        "currency": "CNY",
        "provider": "acquirer",
        "place_name": "Seaside",
        "timezone": "Asia/Shanghai",
    }
    session_id = new_id(at)
    return Event(
        new_id(at), EventType.PAYMENT_CHARGED, OPERATOR, session_id, at, payload | changes, 2
    )


async def append(database: Database, *events: Event) -> None:
    """Commit events."""
    async with database.begin() as unit:
        for event in events:
            outbox.append(unit, event)
