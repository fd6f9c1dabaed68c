"""The inbox: what a driver was told, once for each event, and what the driver has seen of it.

To watch an inbox: listen to `driver_channel(driver_id)` of `parking.events.pokes`, then read
`repository.since_number` with the last number that you know, or `repository.page` for the first
look, each time a poke comes whose type is NOTICE_ADDED or NOTICE_ACKNOWLEDGED (or a RESYNC, or
after a while in any case: a poke may be lost). Pokes are published after the commit. A driver's
notices are numbered 1, 2, 3 … in the order of their commits, so that nothing is missed after a
lost connection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from parking.events.pokes import Poke, driver_channel
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id
from parking.notices import repository
from parking.notices.errors import NoticeUnknownError
from parking.notices.models import Notice, NoticeBook
from parking.notices.rules import RULES, NoticeChannel, Template, is_on

NOTICE_ADDED: Final = "NoticeAdded"
NOTICE_ACKNOWLEDGED: Final = "NoticeAcknowledged"
ACKNOWLEDGED_MAX: Final = 100
_PURPOSE: Final = "notice"


@dataclass(frozen=True, slots=True)
class NewNotice:
    """What a driver is to be told.

    Attributes:
        arguments: What the texts say, as JSON values; never a plate.
    """

    driver_id: UUID
    event_id: UUID
    operator_id: UUID
    event_type: str
    subject_id: UUID
    template: Template
    arguments: dict[str, Any]
    occurred_at: datetime


def notice_id_of(event_id: UUID) -> UUID:
    """Return the id of the one notice of an event."""
    return derive_id(event_id, _PURPOSE)


def added(driver_id: UUID, event_id: UUID) -> tuple[str, Poke]:
    """Return the poke to publish once a notice is committed."""
    return driver_channel(driver_id), Poke(notice_id_of(event_id), NOTICE_ADDED)


def acknowledged(driver_id: UUID, notice_id: UUID) -> tuple[str, Poke]:
    """Return the poke to publish once an acknowledgement is committed."""
    return driver_channel(driver_id), Poke(notice_id, NOTICE_ACKNOWLEDGED)


async def add(unit: UnitOfWork, new: NewNotice) -> NoticeBook:
    """Put a notice into the driver's inbox, unless it is there or was switched off.

    Returns the driver's book, which says how else the driver wants to be told. It stays locked:
    a driver's notices are counted one after another.
    """
    book = await repository.lock_book(unit, new.driver_id)
    rule = RULES[new.template]
    if not is_on(book.muted, rule.category, NoticeChannel.IN_APP):
        return book
    row = Notice(
        driver_id=new.driver_id,
        id=notice_id_of(new.event_id),
        number=book.last_number + 1,
        event_id=new.event_id,
        operator_id=new.operator_id,
        event_type=new.event_type,
        subject_id=new.subject_id,
        category=rule.category,
        template=new.template,
        arguments=new.arguments,
        occurred_at=new.occurred_at,
        created_at=unit.now(),
    )
    if await unit.insert_new(Notice, row.model_dump()):
        book.last_number += 1
    return book


async def acknowledge(unit: UnitOfWork, driver_id: UUID, notice_ids: Sequence[UUID]) -> int:
    """Note that the driver has seen notices; returns how many are new. Idempotent.

    Raises:
        InvalidInputError: none, or more than ACKNOWLEDGED_MAX.
        NoticeUnknownError: one is not the driver's; nothing was noted.
    """
    if not 0 < len(notice_ids) <= ACKNOWLEDGED_MAX:
        raise InvalidInputError("ids", f"1 to {ACKNOWLEDGED_MAX}")
    if await repository.known_ids(unit, driver_id, notice_ids) != frozenset(notice_ids):
        raise NoticeUnknownError
    return await repository.acknowledge(unit, driver_id, notice_ids)


async def is_acknowledged(unit: UnitOfWork, driver_id: UUID, event_id: UUID) -> bool:
    """Say whether the driver has seen the notice of an event."""
    notice = await repository.find(unit, driver_id, notice_id_of(event_id))
    return notice is not None and notice.acknowledged_at is not None
