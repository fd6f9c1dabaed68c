"""What a driver was told of a stay, as the operator's staff may see it: never whom or where."""

from datetime import datetime

import strawberry

from api.global_ids import decode_id, encode_id
from api.request import Info
from api.types.notification import DELIVERY_KIND
from parking.drivers.models import Delivery, DeliveryState
from parking.flows.notices import delivery_log
from parking.notices.rules import NoticeChannel


@strawberry.type(description="What became of one message about a stay.")
class StaffDelivery:
    """What became of one message."""

    id: strawberry.ID
    template: str = strawberry.field(description="The kind of message: `payment_charged`, …")
    channel: NoticeChannel
    state: DeliveryState
    attempts: int = strawberry.field(description="How often it was tried.")
    failure: str | None = strawberry.field(description="A stable word; null where it went well.")
    reference: str | None = strawberry.field(description="The service's own name of the message.")
    created_at: datetime
    sent_at: datetime | None = strawberry.field(description="When the service took it.")
    acknowledged_at: datetime | None = strawberry.field(
        description="When it was known to be there."
    )

    @classmethod
    def of(cls, row: Delivery) -> "StaffDelivery":
        """Return the delivery for staff."""
        return cls(
            id=encode_id(DELIVERY_KIND, row.id),
            template=row.template,
            channel=NoticeChannel(row.channel),
            state=DeliveryState(row.state),
            attempts=row.attempts,
            failure=row.failure,
            reference=row.reference,
            created_at=row.created_at,
            sent_at=row.sent_at,
            acknowledged_at=row.acknowledged_at,
        )


@strawberry.type
class DeliveryQueries:
    """The reads about deliveries."""

    @strawberry.field(
        description="What drivers were told of one of your operator's stays, oldest first, at most "
        "200; empty for another's, as for none."
    )
    async def deliveries(self, info: Info, session_id: strawberry.ID) -> list[StaffDelivery]:
        """Return the deliveries about a stay."""
        staff = info.context.staff()
        key = decode_id(session_id, kind="Session", field="sessionId")
        rows = await delivery_log.of_stay(info.context.parking, staff.operator_id, key)
        return [StaffDelivery.of(row) for row in rows]
