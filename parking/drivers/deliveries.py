"""What was sent to a driver: one row for each event and device, and one for a text message."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.drivers import web_push
from parking.drivers.models import (
    Delivery,
    DeliveryState,
    Device,
    Driver,
    PhoneNumber,
    TargetKind,
)
from parking.drivers.rules import DEVICES_PER_DRIVER_MAX, PHONE_CONTEXT, TARGET_CONTEXT
from parking.drivers.rules import target_index as target_index_of
from parking.drivers.texting import SmsPolicy, textable_phone
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id

PUSH = "push"
WEB_PUSH = "web_push"
TEXT = "sms"
FAILURE_LENGTH_MAX = 200
REFERENCE_LENGTH_MAX = 200
LISTED_MAX = 200
DEVICE_DISABLED = "device_disabled"
TOLD_BY_TEXT = "told_by_text"
STALE = "stale"
NOT_NEEDED = "not_needed"


@dataclass(frozen=True, slots=True)
class Telling:
    """One event that one driver is told of.

    Attributes:
        operator_id: Whose event it is; it decides which staff may see what became of it.
        subject_id: The stay, pass or invoice that it is about.
        template: The message's kind.
    """

    driver_id: UUID
    event_id: UUID
    operator_id: UUID
    subject_id: UUID
    template: str


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
    push_keys: dict[str, str] | None = field(repr=False)
    attempts: int


@dataclass(frozen=True, slots=True)
class PendingText:
    """A message that the driver's number has not got yet.

    Attributes:
        phone_number: E.164.
        attempts: How often it was tried.
    """

    id: UUID
    phone_number: str = field(repr=False)
    attempts: int


async def find_locale(unit: UnitOfWork, driver_id: UUID) -> str | None:
    """Return the language of a driver's messages; `None` if there is no such account any more."""
    statement = select(Driver.locale).where(
        col(Driver.id) == driver_id, col(Driver.closed_at).is_(None)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def set_locale(unit: UnitOfWork, driver_id: UUID, locale: str) -> None:
    """Write to a driver in another language."""
    await unit.run(update(Driver).where(col(Driver.id) == driver_id).values(locale=locale))


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
    unit: UnitOfWork, telling: Telling, *, kinds: Collection[TargetKind]
) -> Sequence[PendingDelivery]:
    """Note that an event goes to each active device of `kinds`; returns those still to be told.

    Again for the same event it adds nothing: a row's id derives from event and device.
    """
    active = await active_devices(unit, telling.driver_id)
    devices = {device.id: device for device in active if device.target_kind in kinds}
    rows = [_delivery(unit, device, telling) for device in devices.values()]
    if rows:
        values = [row.model_dump() for row in rows]
        await unit.run(insert(Delivery).values(values).on_conflict_do_nothing())
    pending: list[PendingDelivery] = []
    for row in await _pending(unit, telling.driver_id, telling.event_id):
        if row.device_id is None:
            continue
        device = devices.get(row.device_id)
        if device is None:
            await mark_failed(unit, telling.driver_id, row.id, DEVICE_DISABLED)
            continue
        pending.append(
            PendingDelivery(
                id=row.id,
                device_id=device.id,
                target_kind=device.target_kind,
                target=unit.vault.open(device.target_sealed, context=TARGET_CONTEXT),
                push_keys=web_push.open_keys(unit.vault, device.push_keys_sealed),
                attempts=row.attempts,
            )
        )
    return pending


async def begin_text(
    unit: UnitOfWork, telling: Telling, *, policy: SmsPolicy
) -> PendingText | None:
    """Note that an event goes to the driver's number too.

    Returns `None` if there is nothing to send: the number has the message or the gateway refused
    it, or there is no number that messages may go to.
    """
    number = await textable_number(unit, telling.driver_id, policy)
    if number is None:
        return None
    text_id = derive_id(telling.event_id, TEXT)
    row = _row(unit, telling, text_id, TEXT)
    await unit.run(insert(Delivery).values(row.model_dump()).on_conflict_do_nothing())
    pending = await _pending(unit, telling.driver_id, telling.event_id)
    attempts = next((one.attempts for one in pending if one.id == text_id), None)
    return None if attempts is None else PendingText(text_id, number, attempts)


async def give_up(unit: UnitOfWork, telling: Telling, failure: str) -> None:
    """Send nothing more of an event."""
    for row in await _pending(unit, telling.driver_id, telling.event_id):
        await mark_failed(unit, telling.driver_id, row.id, failure)


async def of_events(
    unit: UnitOfWork, driver_id: UUID, event_ids: Collection[UUID]
) -> Sequence[Delivery]:
    """Return what was sent to a driver about these events, the oldest first."""
    statement = (
        select(Delivery)
        .where(col(Delivery.driver_id) == driver_id, col(Delivery.event_id).in_(event_ids))
        .order_by(col(Delivery.created_at), col(Delivery.id))
    )
    return (await unit.session.exec(statement)).all()


async def of_subject(unit: UnitOfWork, operator_id: UUID, subject_id: UUID) -> Sequence[Delivery]:
    """Return what was sent about an operator's stay or pass, the oldest first; LISTED_MAX."""
    statement = (
        select(Delivery)
        .where(col(Delivery.operator_id) == operator_id, col(Delivery.subject_id) == subject_id)
        .order_by(col(Delivery.created_at), col(Delivery.id))
        .limit(LISTED_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def acknowledge(unit: UnitOfWork, driver_id: UUID, delivery_id: UUID) -> UUID | None:
    """Note that the device has the message; returns the event, None if it is no such delivery."""
    row = await unit.session.get(Delivery, (driver_id, delivery_id))
    if row is None:
        return None
    row.acknowledged_at = row.acknowledged_at or unit.now()
    return row.event_id


async def was_acknowledged(unit: UnitOfWork, driver_id: UUID, event_id: UUID) -> bool:
    """Say whether any device confirmed that it has the message about an event."""
    statement = (
        select(Delivery.id)
        .where(col(Delivery.driver_id) == driver_id, col(Delivery.event_id) == event_id)
        .where(col(Delivery.acknowledged_at).is_not(None))
        .limit(1)
    )
    return (await unit.session.exec(statement)).first() is not None


async def first_sent_at(unit: UnitOfWork, driver_id: UUID, event_id: UUID) -> datetime | None:
    """Return when a message about an event was first taken for a device or the number."""
    statement = (
        select(func.min(Delivery.sent_at))
        .where(col(Delivery.driver_id) == driver_id, col(Delivery.event_id) == event_id)
        .where(col(Delivery.state) == DeliveryState.SENT)
    )
    return (await unit.session.exec(statement)).one()


async def mark_sent(
    unit: UnitOfWork, driver_id: UUID, delivery_id: UUID, reference: str | None = None
) -> None:
    """Note that the service took the message, and what it calls it."""
    await unit.run(
        update(Delivery)
        .where(*_is_pending(driver_id, delivery_id))
        .values(
            state=DeliveryState.SENT,
            attempts=Delivery.attempts + 1,
            failure=None,
            reference=None if reference is None else reference[:REFERENCE_LENGTH_MAX],
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


async def mark_lost(unit: UnitOfWork, driver_id: UUID, delivery_id: UUID, failure: str) -> None:
    """Note that a message that was taken did not arrive, unless somebody has it."""
    await unit.run(
        update(Delivery)
        .where(col(Delivery.driver_id) == driver_id, col(Delivery.id) == delivery_id)
        .where(col(Delivery.state) == DeliveryState.SENT)
        .where(col(Delivery.acknowledged_at).is_(None))
        .values(state=DeliveryState.FAILED, failure=failure[:FAILURE_LENGTH_MAX])
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
    target_index = target_index_of(unit.vault, target)
    await unit.run(
        update(Device)
        .where(col(Device.driver_id) == driver_id, col(Device.id) == device_id)
        .where(col(Device.target_index) == target_index, col(Device.disabled_at).is_(None))
        .values(disabled_at=unit.now())
    )


def _delivery(unit: UnitOfWork, device: Device, telling: Telling) -> Delivery:
    channel = WEB_PUSH if device.target_kind == TargetKind.WEB_PUSH else PUSH
    row = _row(unit, telling, derive_id(telling.event_id, f"{PUSH}|{device.id}"), channel)
    row.device_id = device.id
    return row


def _row(unit: UnitOfWork, telling: Telling, delivery_id: UUID, channel: str) -> Delivery:
    return Delivery(
        driver_id=telling.driver_id,
        id=delivery_id,
        event_id=telling.event_id,
        operator_id=telling.operator_id,
        subject_id=telling.subject_id,
        channel=channel,
        template=telling.template,
        state=DeliveryState.PENDING,
        created_at=unit.now(),
    )


async def textable_number(unit: UnitOfWork, driver_id: UUID, policy: SmsPolicy) -> str | None:
    """Return the driver's newest number (E.164), if messages may go to it."""
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
