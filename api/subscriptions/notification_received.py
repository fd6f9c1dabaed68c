"""`notificationReceived`: what the driver is told, nothing missed over a lost connection."""

from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Final
from uuid import UUID

import strawberry

from api.acting import outcome_of
from api.config import SUBSCRIPTION_LOOK_S
from api.refusals import AnyRefusal, refusal_of
from api.request import Info, RequestContext
from api.subscriptions.encodings import Encodings
from api.subscriptions.feed import Feed
from api.subscriptions.stay_updates import UpdateReason
from api.subscriptions.watch import Watch
from api.types.notification import Notification
from parking.events.pokes import Poke, driver_channel
from parking.flows.notices import watched_inbox
from parking.flows.notices.watched_inbox import InboxSeen
from parking.flows.watched_sign_ins import find_standing
from parking.kit.errors import ParkingError
from parking.kit.token_errors import TokenRefusedError
from parking.kit.tokens import DriverIdentity
from parking.notices.service import NOTICE_ACKNOWLEDGED, NOTICE_ADDED

_NEWS: Final = frozenset({NOTICE_ADDED, NOTICE_ACKNOWLEDGED})


@strawberry.type(description="What is new in your inbox.")
class NotificationUpdate:
    """What is new in an inbox."""

    reason: UpdateReason = strawberry.field(description="Why the message came; never TICK.")
    number: int = strawberry.field(
        description="Of the last notification that you were told of. Give it as `afterNumber` to "
        "go on after a lost connection."
    )
    notifications: list[Notification] = strawberry.field(
        description="What came since the last message, or since `afterNumber`, oldest first; "
        "empty where only the count is another."
    )
    unacknowledged_count: int = strawberry.field(
        description="How many notifications you have not acknowledged, on any device."
    )
    encodings: strawberry.Private[Encodings]


class InboxWatch(Watch[NotificationUpdate]):
    """A subscriber of an inbox.

    Attributes:
        known: The number up to which it was told; None before it was told anything.
    """

    def __init__(self, identity: DriverIdentity, known: int | None) -> None:
        super().__init__(identity)
        self.known = known
        self._unacknowledged: int | None = None

    def take(self, context: RequestContext, seen: InboxSeen) -> None:
        """Take what is new."""
        known = self._known_of(seen)
        views = [view for view in seen.views if view.row.number > known]
        if self.is_started and not views and seen.unacknowledged == self._unacknowledged:
            return
        self.known = views[-1].row.number if views else known
        self._unacknowledged = seen.unacknowledged
        update = NotificationUpdate(
            reason=UpdateReason.CHANGE if self.is_started else UpdateReason.SNAPSHOT,
            number=self.known,
            notifications=[Notification.of(view) for view in views],
            unacknowledged_count=seen.unacknowledged,
            encodings=Encodings(context),
        )
        self.give([update])

    def _known_of(self, seen: InboxSeen) -> int:
        if self.known is None:
            return seen.last_number
        # A phone that another driver signs in on may give a number of the last one's inbox: all
        # that comes would count as known.
        return self.known if self.is_started else min(self.known, seen.last_number)


class InboxFeed(Feed[InboxWatch]):
    """One driver's inbox, watched by any number of that driver's devices."""

    def __init__(
        self, context: RequestContext, driver_id: UUID, on_empty: Callable[[], None]
    ) -> None:
        super().__init__(context.parking.bus, driver_channel(driver_id), on_empty)
        self._context = context
        self._driver_id = driver_id

    def push(self, poke: Poke) -> None:
        """Look, if it is the inbox that something happened to."""
        if poke.type in _NEWS:
            self.look()

    async def read(self) -> float:
        """Read what is new, and give it to whoever is signed in still.

        Raises:
            DatabaseUnavailableError: PostgreSQL does not answer.
        """
        parking = self._context.parking
        watches = self.ready_watches()
        standing = await find_standing(parking, [watch.identity for watch in watches])
        for watch in watches:
            if watch.identity.sign_in_id not in standing:
                watch.end(TokenRefusedError())
        watches = [watch for watch in watches if watch.identity.sign_in_id in standing]
        if not watches:
            return SUBSCRIPTION_LOOK_S
        known = [watch.known for watch in watches if watch.known is not None]
        seen = await watched_inbox.look(parking, self._driver_id, min(known, default=None))
        context = self._context.of_driver(watches[0].identity)
        for watch in watches:
            watch.take(context, seen)
        return 0.0 if seen.is_cut else SUBSCRIPTION_LOOK_S


@strawberry.type
class NotificationSubscriptions:
    """What a driver may follow of the inbox."""

    @strawberry.subscription(
        graphql_type=outcome_of(NotificationUpdate, "NotificationReceivedResult"),
        description="Follow your inbox: first how it is, then each notification, and each other "
        "count of unacknowledged ones. A refusal is the last message.",
    )
    def notification_received(
        self,
        info: Info,
        after_number: Annotated[
            int | None,
            strawberry.argument(
                description="The last `number` that you know: the first message then brings what "
                "you missed. Without it, only what comes from now on."
            ),
        ] = None,
    ) -> AsyncGenerator[NotificationUpdate | AnyRefusal]:
        """Return the inbox, and what is new in it."""
        # Not a generator itself: it would keep `info`, and what that keeps.
        return _follow(info.context, after_number)


async def _follow(
    context: RequestContext, after_number: int | None
) -> AsyncGenerator[NotificationUpdate | AnyRefusal]:
    try:
        identity = context.identity()
        watch = InboxWatch(identity, after_number)
        async for update in _feed(context, identity.driver_id).updates(watch):
            yield update
            del update
    except ParkingError as error:
        yield refusal_of(error)


def _feed(context: RequestContext, driver_id: UUID) -> InboxFeed:
    shared, key = context.config.shared, (InboxFeed, driver_id)
    return shared.find(
        key, lambda: InboxFeed(context.of_nobody(), driver_id, lambda: shared.drop(key))
    )
