"""What a driver was told of, how, and what the driver wants to be told of."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Annotated, Final
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from api.global_ids import Node, encode_id
from api.request import Info, RequestContext
from api.types.invoice import INVOICE_KIND
from api.types.page import PageInfo
from api.types.passes import RIGHT_ID
from api.types.sign_in import SIGN_IN_ID
from parking.drivers.events import DRIVER_SIGNED_IN
from parking.drivers.models import Delivery, DeliveryState
from parking.events.types import PASS_EVENTS, SESSION_EVENTS, EventType
from parking.flows.notices import inbox
from parking.flows.notices.inbox import NoticeView
from parking.notices import preferences, rules
from parking.notices.models import NoticeBook
from parking.notices.quiet_hours import quiet_hours_of

NOTIFICATION_KIND: Final = "Notification"
DELIVERY_KIND: Final = "Delivery"
_LOADER: Final = "deliveries_of_notices"
_LOCALE: Final = strawberry.argument(
    description="`en`, `de` or `zh`; your account's language without it."
)

strawberry.enum(
    rules.NoticeCategory,
    name="NotificationCategory",
    description="What a notification is about. STAY: entering, leaving, the gate. BILL: what is "
    "due, taken, refused or given back. PASS, DISPUTE, INVOICE: theirs. SECURITY: your account. "
    "OFFER: what operators offer, if you agreed to offers. "
    "More values may come: treat an unknown one as STAY.",
)
strawberry.enum(
    rules.NoticeChannel,
    name="NotificationChannel",
    description="How a notification comes. IN_APP: the inbox. PUSH: to phones. WEB_PUSH: to "
    "browsers. SMS: a text message, for money that was taken. More values may come.",
)
strawberry.enum(
    DeliveryState,
    name="DeliveryState",
    description="PENDING: still tried. SENT: the service took it. FAILED: it will not come.",
)


@strawberry.type(description="What became of a notification on one device or number.")
class NotificationDelivery:
    """What became of a notification on one device or number."""

    id: strawberry.ID
    channel: rules.NoticeChannel
    state: DeliveryState
    failure: str | None = strawberry.field(
        description="A stable word for why it failed, or failed for now; null where it did not."
    )
    created_at: datetime
    sent_at: datetime | None = strawberry.field(description="When the service took it.")
    acknowledged_at: datetime | None = strawberry.field(
        description="When the device said that it has it: `acknowledgePush`."
    )

    @classmethod
    def of(cls, row: Delivery) -> "NotificationDelivery":
        """Return the delivery for its driver."""
        return cls(
            id=encode_id(DELIVERY_KIND, row.id),
            channel=rules.NoticeChannel(row.channel),
            state=DeliveryState(row.state),
            failure=row.failure,
            created_at=row.created_at,
            sent_at=row.sent_at,
            acknowledged_at=row.acknowledged_at,
        )


@strawberry.type(description="One thing that you were told of.")
class Notification(Node):
    """One thing that a driver was told of."""

    view: strawberry.Private[NoticeView]
    number: int = strawberry.field(
        description="Yours are numbered 1, 2, 3 … in the order in which they were written."
    )
    category: rules.NoticeCategory
    template: str = strawberry.field(
        description="The kind of message, such as `payment_charged`. New kinds may come: show "
        "their `title` and `body`."
    )
    subject_id: strawberry.ID | None = strawberry.field(
        description="The stay, pass or invoice that it is about, for `node`; of another sign-in "
        "its id, for `endSignIn`; null for none."
    )
    occurred_at: datetime = strawberry.field(description="When it happened.")
    created_at: datetime = strawberry.field(description="When it was written into the inbox.")
    acknowledged_at: datetime | None = strawberry.field(
        description="When you saw it: `acknowledgeNotifications`; null before."
    )
    because: list[str] | None = strawberry.field(
        description="Of an offer: by which facts about you it was addressed, such as `recency`, "
        "`place`, `habit`, and by what you just did: `entry`, `payment`; empty where it went to "
        "everybody who agreed to offers. Null for everything else. End it with `setConsent` "
        "(MARKETING) or `setNotificationPreference` (OFFER). More words may come."
    )

    @classmethod
    def of(cls, view: NoticeView) -> "Notification":
        """Return the notice for its driver."""
        row = view.row
        return cls(
            id=encode_id(NOTIFICATION_KIND, row.id),
            view=view,
            number=row.number,
            category=rules.NoticeCategory(row.category),
            template=row.template,
            subject_id=_subject(row.event_type, row.subject_id),
            occurred_at=row.occurred_at,
            created_at=row.created_at,
            acknowledged_at=row.acknowledged_at,
            because=row.arguments.get("because"),
        )

    @strawberry.field(description="What it says, in a few words.")
    def title(self, locale: Annotated[str | None, _LOCALE] = None) -> str:
        """Return the title."""
        return self.view.text(locale).title

    @strawberry.field(description="What it says.")
    def body(self, locale: Annotated[str | None, _LOCALE] = None) -> str:
        """Return the body."""
        return self.view.text(locale).body

    @strawberry.field(description="Where it was sent to, and what became of it, oldest first.")
    async def deliveries(self, info: Info) -> list[NotificationDelivery]:
        """Return the deliveries; a list of notifications costs one statement."""
        rows = await _loader(info.context).load(self.view.row.event_id)
        return [NotificationDelivery.of(row) for row in rows]


@strawberry.type(description="A notification in a list, with its place in it.")
class NotificationEdge:
    """A notification in a list."""

    cursor: str
    node: Notification


@strawberry.type(description="A page of notifications.")
class NotificationConnection:
    """A page of notifications."""

    edges: list[NotificationEdge]
    page_info: PageInfo


@strawberry.type(description="Whether notifications of a category come by a channel.")
class NotificationPreference:
    """Whether a category comes by a channel."""

    category: rules.NoticeCategory
    channel: rules.NoticeChannel
    is_on: bool


@strawberry.type(
    description="When you are left alone. What cannot wait comes all the same: the gate, an "
    "amount that is due at it, money taken at it, and your account's security."
)
class QuietHours:
    """When a driver is left alone."""

    starts_at: time
    ends_at: time = strawberry.field(description="The next day's, where it is before the start.")
    timezone: str = strawberry.field(description="An IANA name such as `Asia/Shanghai`.")


@strawberry.type(description="How you want to be told.")
class NotificationPreferences:
    """How a driver wants to be told."""

    preferences: list[NotificationPreference] = strawberry.field(
        description="Every category by every channel."
    )
    quiet_hours: QuietHours | None = strawberry.field(description="Null where you set none.")

    @classmethod
    def of(cls, book: NoticeBook) -> "NotificationPreferences":
        """Return what the driver chose."""
        hours = quiet_hours_of(book)
        return cls(
            preferences=[
                NotificationPreference(category=one.category, channel=one.channel, is_on=one.is_on)
                for one in preferences.list_preferences(book)
            ],
            quiet_hours=None
            if hours is None
            else QuietHours(
                starts_at=hours.starts_at, ends_at=hours.ends_at, timezone=hours.timezone
            ),
        )


def _subject(event_type: str, subject_id: UUID) -> strawberry.ID | None:
    if event_type == EventType.INVOICE_ISSUED:
        return encode_id(INVOICE_KIND, subject_id)
    if event_type in PASS_EVENTS:
        return encode_id(RIGHT_ID, subject_id)
    if event_type == DRIVER_SIGNED_IN:
        return encode_id(SIGN_IN_ID, subject_id)
    return encode_id("Session", subject_id) if event_type in SESSION_EVENTS else None


def _loader(context: RequestContext) -> DataLoader[UUID, Sequence[Delivery]]:
    loader: DataLoader[UUID, Sequence[Delivery]] | None = context.loaders.get(_LOADER)
    if loader is None:

        async def load(event_ids: list[UUID]) -> Sequence[Sequence[Delivery]]:
            driver_id = await context.driver_id()
            found = await inbox.deliveries_of(context.parking, driver_id, event_ids)
            return [found.get(key, ()) for key in event_ids]

        # Without a cache: a subscription reads the same notice again.
        loader = DataLoader(load_fn=load, cache=False)
        context.loaders[_LOADER] = loader
    return loader
