"""What was sent to a driver: one row for each event and device, and one for a text message."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.drivers.models import (
    Delivery,
    DeliveryState,
    Device,
    Driver,
    PhoneNumber,
    TargetKind,
)
from parking.drivers.rules import DEVICES_PER_DRIVER_MAX, PHONE_CONTEXT
from parking.drivers.texting import SmsPolicy, textable_phone
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id

PUSH = "push"
TEXT = "sms"
FAILURE_LENGTH_MAX = 200
DEVICE_DISABLED = "device_disabled"
TOLD_BY_TEXT = "told_by_text"


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """A message that one device has not got yet.

    Attributes:
        attempts: How often it was tried.
    """

    id: UUID
    device_id: UUID
    target_kind: TargetKind
    target: str = field(repr=False)
    attempts: int


@dataclass(frozen=True, slots=True)
class PendingText:
    """A message that the driver's number has not got yet.

    Attributes:
        phone_number: E.164.
    """

    id: UUID
    phone_number: str = field(repr=False)


async def find_locale(unit: UnitOfWork, driver_id: UUID) -> str | None:
    """Return the language of a driver's messages; `None` if there is no such account any more."""
    statement = select(Driver.locale).where(
        col(Driver.id) == driver_id, col(Driver.closed_at).is_(None)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def active_devices(unit: UnitOfWork, driver_id: UUID) -> Sequence[Device]:
    """Return the devices that take pushes, the newest first."""
    statement = (
        select(Device)
        .where(col(Device.driver_id) == driver_id, col(Device.disabled_at).is_(None))
        .order_by(col(Device.registered_at).desc())
        .limit(DEVICES_PER_DRIVER_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def begin_pushes(
    unit: UnitOfWork, driver_id: UUID, event_id: UUID, *, template: str
) -> Sequence[PendingDelivery]:
    """Note that an event goes to each active device; returns those that have not got it yet.

    Again for the same event it adds nothing: a row's id derives from event and device.
    """
    devices = {device.id: device for device in await active_devices(unit, driver_id)}
    rows = [_delivery(unit, device, event_id, template) for device in devices.values()]
    if rows:
        values = [row.model_dump() for row in rows]
        await unit.run(insert(Delivery).values(values).on_conflict_do_nothing())
    pending: list[PendingDelivery] = []
    for row in await _pending(unit, driver_id, event_id):
        if row.channel != PUSH:
            continue
        device = None if row.device_id is None else devices.get(row.device_id)
        if device is None:
            await mark_failed(unit, driver_id, row.id, DEVICE_DISABLED)
            continue
        pending.append(
            PendingDelivery(row.id, device.id, device.target_kind, device.target, row.attempts)
        )
    return pending


async def begin_text(
    unit: UnitOfWork, driver_id: UUID, event_id: UUID, *, template: str, policy: SmsPolicy
) -> PendingText | None:
    """Note that an event goes to the driver's number, for no device could be told.

    Pushes that were still tried are given up. Returns `None` if there is nothing to send: the
    number has the message, or there is none that messages may go to.
    """
    number = await _phone_number(unit, driver_id, policy)
    if number is None:
        return None
    text_id = derive_id(event_id, TEXT)
    row = Delivery(
        driver_id=driver_id,
        id=text_id,
        event_id=event_id,
        channel=TEXT,
        template=template,
        state=DeliveryState.PENDING,
        created_at=unit.now(),
    )
    await unit.run(insert(Delivery).values(row.model_dump()).on_conflict_do_nothing())
    pending = await _pending(unit, driver_id, event_id)
    for push in pending:
        if push.channel == PUSH:
            await mark_failed(unit, driver_id, push.id, TOLD_BY_TEXT)
    return PendingText(text_id, number) if text_id in {one.id for one in pending} else None


async def was_told(unit: UnitOfWork, driver_id: UUID, event_id: UUID) -> bool:
    """Say whether a message about an event was taken for any device, or for the number."""
    statement = (
        select(Delivery.id)
        .where(col(Delivery.driver_id) == driver_id, col(Delivery.event_id) == event_id)
        .where(col(Delivery.state) == DeliveryState.SENT)
        .limit(1)
    )
    return (await unit.session.exec(statement)).first() is not None


async def mark_sent(unit: UnitOfWork, driver_id: UUID, delivery_id: UUID) -> None:
    """Note that the service took the message."""
    await unit.run(
        update(Delivery)
        .where(*_is_pending(driver_id, delivery_id))
        .values(
            state=DeliveryState.SENT,
            attempts=Delivery.attempts + 1,
            failure=None,
            sent_at=unit.now(),
        )
    )


async def mark_failed(unit: UnitOfWork, driver_id: UUID, delivery_id: UUID, failure: str) -> None:
    """Note that the message will not reach the device."""
    await unit.run(
        update(Delivery)
        .where(*_is_pending(driver_id, delivery_id))
        .values(
            state=DeliveryState.FAILED,
            attempts=Delivery.attempts + 1,
            failure=failure[:FAILURE_LENGTH_MAX],
        )
    )


async def mark_tried(unit: UnitOfWork, driver_id: UUID, delivery_id: UUID, failure: str) -> None:
    """Note an attempt that failed for now."""
    await unit.run(
        update(Delivery)
        .where(*_is_pending(driver_id, delivery_id))
        .values(attempts=Delivery.attempts + 1, failure=failure[:FAILURE_LENGTH_MAX])
    )


async def disable_device(unit: UnitOfWork, driver_id: UUID, device_id: UUID, target: str) -> None:
    """Stop pushing to a device whose target is gone, unless it has registered a new one since."""
    await unit.run(
        update(Device)
        .where(col(Device.driver_id) == driver_id, col(Device.id) == device_id)
        .where(col(Device.target) == target, col(Device.disabled_at).is_(None))
        .values(disabled_at=unit.now())
    )


def _delivery(unit: UnitOfWork, device: Device, event_id: UUID, template: str) -> Delivery:
    return Delivery(
        driver_id=device.driver_id,
        id=derive_id(event_id, f"{PUSH}|{device.id}"),
        event_id=event_id,
        device_id=device.id,
        channel=PUSH,
        template=template,
        state=DeliveryState.PENDING,
        created_at=unit.now(),
    )


async def _phone_number(unit: UnitOfWork, driver_id: UUID, policy: SmsPolicy) -> str | None:
    newest = (
        select(PhoneNumber.phone_sealed)
        .where(col(PhoneNumber.driver_id) == driver_id)
        .order_by(col(PhoneNumber.verified_at).desc())
        .limit(1)
    )
    sealed = (await unit.session.exec(newest)).one_or_none()
    if sealed is None:
        return None
    try:
        return textable_phone(unit.vault.open(sealed, context=PHONE_CONTEXT), policy)
    except InvalidInputError:
        # Its country was served when it was verified, and is no more.
        return None


async def _pending(unit: UnitOfWork, driver_id: UUID, event_id: UUID) -> Sequence[Delivery]:
    statement = (
        select(Delivery)
        .where(col(Delivery.driver_id) == driver_id, col(Delivery.event_id) == event_id)
        .where(col(Delivery.state) == DeliveryState.PENDING)
        .order_by(col(Delivery.id))
    )
    return (await unit.session.exec(statement)).all()


def _is_pending(driver_id: UUID, delivery_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Delivery.driver_id) == driver_id,
        col(Delivery.id) == delivery_id,
        col(Delivery.state) == DeliveryState.PENDING,
    )
