"""What was sent to a driver's devices: one row for each event, device and channel."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.drivers.models import Delivery, DeliveryState, Device, Driver, TargetKind
from parking.drivers.rules import DEVICES_PER_DRIVER_MAX
from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id

PUSH = "push"
FAILURE_LENGTH_MAX = 200
DEVICE_DISABLED = "device_disabled"


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
        device = devices.get(row.device_id)
        if device is None:
            await mark_failed(unit, driver_id, row.id, DEVICE_DISABLED)
            continue
        pending.append(
            PendingDelivery(row.id, device.id, device.target_kind, device.target, row.attempts)
        )
    return pending


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
