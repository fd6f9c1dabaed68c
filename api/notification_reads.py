"""The reads of a driver's inbox."""

from typing import Final
from uuid import UUID

import strawberry

from api.config import PAGE_SIZE
from api.global_ids import Node
from api.request import Info, RequestContext
from api.types.notification import (
    Notification,
    NotificationConnection,
    NotificationEdge,
    NotificationPreferences,
)
from api.types.page import PageInfo, require_page_size
from parking.flows.notices import inbox
from parking.kit.errors import InvalidInputError

_CURSOR: Final = "n"
_DIGITS_MAX: Final = 10


async def page_of_notifications(
    context: RequestContext,
    driver_id: UUID,
    *,
    first: int,
    after: str | None,
    unacknowledged_only: bool,
) -> NotificationConnection:
    """Return one page of the inbox, the newest first.

    Raises:
        InvalidInputError: the page's size or the cursor is unusable.
    """
    require_page_size(first)
    # One more than asked for tells whether there is a next page.
    views = await inbox.page_of_driver(
        context.parking,
        driver_id,
        first=first + 1,
        before=None if after is None else _number_of(after),
        unacknowledged_only=unacknowledged_only,
    )
    edges = [
        NotificationEdge(cursor=f"{_CURSOR}{view.row.number}", node=Notification.of(view))
        for view in views[:first]
    ]
    cursors = [edge.cursor for edge in edges]
    return NotificationConnection(
        edges=edges, page_info=PageInfo.of(cursors, has_more=len(views) > first, after=after)
    )


async def find_notification(context: RequestContext, driver_id: UUID, key: UUID) -> Node | None:
    """Return one of the driver's notifications."""
    view = await inbox.find_of_driver(context.parking, driver_id, key)
    return None if view is None else Notification.of(view)


@strawberry.type
class NotificationFields:
    """What a driver may read of their inbox."""

    driver_id: strawberry.Private[UUID]

    @strawberry.field(description="Your inbox, newest first, a page at a time.")
    async def notifications(
        self,
        info: Info,
        first: int = PAGE_SIZE,
        after: str | None = None,
        unacknowledged_only: bool = False,  # noqa: FBT001, FBT002 - an argument of GraphQL
    ) -> NotificationConnection:
        """Return a page of the inbox."""
        return await page_of_notifications(
            info.context,
            self.driver_id,
            first=first,
            after=after,
            unacknowledged_only=unacknowledged_only,
        )

    @strawberry.field(description="How many notifications you have not acknowledged.")
    async def unacknowledged_count(self, info: Info) -> int:
        """Return how many are not acknowledged."""
        return await inbox.count_unacknowledged(info.context.parking, self.driver_id)

    @strawberry.field(
        description="`applicationServerKey` for a browser's subscription, base64url; null where "
        "nothing is pushed to browsers. Register the subscription with `registerDevice`."
    )
    async def web_push_public_key(self, info: Info) -> str | None:
        """Return what browsers subscribe with."""
        terms = info.context.config.web_push
        return None if terms is None else terms.public_key

    @strawberry.field(description="What you want to be told of, by which channel, and when not.")
    async def notification_preferences(self, info: Info) -> NotificationPreferences:
        """Return how the driver wants to be told."""
        book = await inbox.find_book(info.context.parking, self.driver_id)
        return NotificationPreferences.of(book)


def _number_of(cursor: str) -> int:
    digits = cursor.removeprefix(_CURSOR)
    if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS_MAX:
        raise InvalidInputError("after", "a cursor of this list, as the API gave it")
    return int(digits)
