"""A driver's inbox as whoever watches it sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.notices import inbox
from parking.flows.notices.inbox import NoticeView
from parking.notices import repository


@dataclass(frozen=True, slots=True)
class InboxSeen:
    """An inbox at the moment of reading.

    Attributes:
        last_number: Of the newest notice; 0 for none.
        views: What came after the number that was asked for, the oldest first, at most
            `repository.CATCH_UP_MAX`; it may be newer than `last_number`.
    """

    last_number: int
    unacknowledged: int
    views: Sequence[NoticeView]

    @property
    def is_cut(self) -> bool:
        """Whether there is more than was read."""
        return len(self.views) >= repository.CATCH_UP_MAX


async def look(context: ParkingContext, driver_id: UUID, after: int | None) -> InboxSeen:
    """Return what is in the inbox after the notice `after`; of the notices none without it."""
    async with context.database.begin() as unit:
        # Before the notices: one that is added meanwhile must not be counted as known.
        book = await repository.find_book(unit, driver_id)
        unacknowledged = await repository.count_unacknowledged(unit, driver_id)
    views = [] if after is None else await inbox.since(context, driver_id, after)
    return InboxSeen(book.last_number, unacknowledged, views)
