"""Everything that a driver may follow."""

import strawberry

from api.subscriptions.availability_changed import AvailabilitySubscriptions
from api.subscriptions.notification_received import NotificationSubscriptions
from api.subscriptions.offer_received import OfferSubscriptions
from api.subscriptions.session_updated import StaySubscriptions


@strawberry.type
class Subscription(
    StaySubscriptions, NotificationSubscriptions, AvailabilitySubscriptions, OfferSubscriptions
):
    """What a driver may follow."""
