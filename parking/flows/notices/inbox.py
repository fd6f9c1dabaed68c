"""A driver's inbox as the app shows it, and what the app says of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from parking.drivers import deliveries
from parking.drivers.models import Delivery
from parking.flows.context import ParkingContext
from parking.flows.notices.wording import DEFAULT_LOCALE, Text, render
from parking.kit.database import UnitOfWork
from parking.notices import repository, service
from parking.notices.errors import NoticeUnknownError
from parking.notices.models import Notice, NoticeBook
from parking.notices.rules import Template


@dataclass(frozen=True, slots=True)
class NoticeView:
    """One notice, for a reader of a language.

    Attributes:
        locale: The account's.
    """

    row: Notice
    locale: str

    def text(self, locale: str | None = None) -> Text:
        """Return what it says, in the account's language or another."""
        row = self.row
        template = Template(row.template)
        return render(template, row.arguments, row.occurred_at, locale or self.locale)


async def page_of_driver(
    context: ParkingContext,
    driver_id: UUID,
    *,
    first: int,
    before: int | None,
    unacknowledged_only: bool,
) -> list[NoticeView]:
    """Return up to `first` notices, the newest first, whose number is below `before`."""
    async with context.database.begin() as unit:
        rows = await repository.page(
            unit, driver_id, first=first, before=before, unacknowledged_only=unacknowledged_only
        )
        return await _views(unit, driver_id, rows)


async def since(context: ParkingContext, driver_id: UUID, number: int) -> list[NoticeView]:
    """Return what came after the notice `number`, the oldest first: for who watches an inbox."""
    async with context.database.begin() as unit:
        rows = await repository.since_number(unit, driver_id, number)
        return await _views(unit, driver_id, rows)


async def find_of_driver(
    context: ParkingContext, driver_id: UUID, notice_id: UUID
) -> NoticeView | None:
    """Return one of the driver's notices; None for another driver's and for none."""
    async with context.database.begin() as unit:
        row = await repository.find(unit, driver_id, notice_id)
        views = await _views(unit, driver_id, [] if row is None else [row])
    return views[0] if views else None


async def count_unacknowledged(context: ParkingContext, driver_id: UUID) -> int:
    """Return how many notices the driver has not acknowledged."""
    async with context.database.begin() as unit:
        return await repository.count_unacknowledged(unit, driver_id)


async def deliveries_of(
    context: ParkingContext, driver_id: UUID, event_ids: Sequence[UUID]
) -> Mapping[UUID, Sequence[Delivery]]:
    """Return what was sent about each event, the oldest first."""
    found: dict[UUID, list[Delivery]] = defaultdict(list)
    async with context.database.begin() as unit:
        for row in await deliveries.of_events(unit, driver_id, event_ids):
            found[row.event_id].append(row)
    return found


async def find_book(context: ParkingContext, driver_id: UUID) -> NoticeBook:
    """Return how the driver wants to be told."""
    async with context.database.begin() as unit:
        return await repository.find_book(unit, driver_id)


async def acknowledge(context: ParkingContext, driver_id: UUID, notice_ids: Sequence[UUID]) -> int:
    """Note that the driver has seen notices; returns how many are left. Idempotent.

    Raises:
        InvalidInputError: too few or too many.
        NoticeUnknownError: one is not the driver's; nothing was noted.
    """
    async with context.database.begin() as unit:
        changed = await service.acknowledge(unit, driver_id, notice_ids)
        left = await repository.count_unacknowledged(unit, driver_id)
    if changed:
        await context.bus.publish([service.acknowledged(driver_id, notice_ids[0])])
    return left


async def acknowledge_push(context: ParkingContext, driver_id: UUID, delivery_id: UUID) -> UUID:
    """Note that a device has a push; returns the notice. Idempotent; the notice stays unread.

    Raises:
        NoticeUnknownError: the driver was sent no such push.
    """
    async with context.database.begin() as unit:
        event_id = await deliveries.acknowledge(unit, driver_id, delivery_id)
    if event_id is None:
        raise NoticeUnknownError
    return service.notice_id_of(event_id)


async def set_locale(context: ParkingContext, driver_id: UUID, locale: str) -> None:
    """Write to the driver in another language."""
    async with context.database.begin() as unit:
        await deliveries.set_locale(unit, driver_id, locale)


async def _views(unit: UnitOfWork, driver_id: UUID, rows: Sequence[Notice]) -> list[NoticeView]:
    if not rows:
        return []
    locale = await deliveries.find_locale(unit, driver_id) or DEFAULT_LOCALE
    return [NoticeView(row, locale) for row in rows]
