"""`offerReceived`: the spaces that the driver is offered, nothing missed over a lost connection."""

from collections.abc import AsyncGenerator, Callable
from typing import Annotated
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
from api.types.reservation import SpaceOfferNode
from parking.events.pokes import Poke, driver_channel
from parking.flows.offers import offer_view
from parking.flows.offers.offer_view import OffersSeen
from parking.flows.watched_sign_ins import find_standing
from parking.kit.errors import ParkingError
from parking.kit.token_errors import TokenRefusedError
from parking.kit.tokens import DriverIdentity
from parking.offers.events import OFFER_NEWS


@strawberry.type(description="What is new of the spaces that you are offered.")
class OfferUpdate:
    """What is new of a driver's offers."""

    reason: UpdateReason = strawberry.field(description="Why the message came; never TICK.")
    version: int = strawberry.field(
        description="Of the last change that you were told of. Give it as `afterVersion` to go on "
        "after a lost connection."
    )
    offers: list[SpaceOfferNode] = strawberry.field(
        description="In a SNAPSHOT without `afterVersion`: every open one. Else each that is new, "
        "or was accepted, declined or expired, on any device, as it is now."
    )
    encodings: strawberry.Private[Encodings]


class OfferWatch(Watch[OfferUpdate]):
    """A subscriber of a driver's offers.

    Attributes:
        known: The version up to which it was told; None before it was told anything.
    """

    def __init__(self, identity: DriverIdentity, known: int | None) -> None:
        super().__init__(identity)
        self.known = known

    def take(self, context: RequestContext, seen: OffersSeen) -> None:
        """Take what is new."""
        known = self.known if self.is_started or self._may_go_on(seen) else None
        views = [view for view in seen.changed if known is None or view.row.version > known]
        if self.is_started and not views:
            return
        newest = max((view.row.version for view in views), default=seen.version)
        self.known = newest if known is not None and views else max(newest, seen.version)
        update = OfferUpdate(
            reason=UpdateReason.CHANGE if self.is_started else UpdateReason.SNAPSHOT,
            version=self.known,
            offers=[SpaceOfferNode.of(view) for view in views],
            encodings=Encodings(context),
        )
        self.give([update])

    def _may_go_on(self, seen: OffersSeen) -> bool:
        # A phone that another driver signs in on may give a version of the last one's book.
        return self.known is not None and self.known <= seen.version


class OfferFeed(Feed[OfferWatch]):
    """One driver's offers, watched by any number of that driver's devices."""

    def __init__(
        self, context: RequestContext, driver_id: UUID, on_empty: Callable[[], None]
    ) -> None:
        super().__init__(context.parking.bus, driver_channel(driver_id), on_empty)
        self._context = context
        self._driver_id = driver_id

    def push(self, poke: Poke) -> None:
        """Look, if it is an offer that something happened to."""
        if poke.type in OFFER_NEWS:
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
        context = self._context.of_driver(watches[0].identity)
        is_cut = False
        # Mostly all of a driver's devices know the same, so that this is one reading.
        for known in {watch.known for watch in watches}:
            seen = await offer_view.look(parking, self._driver_id, known)
            is_cut = is_cut or seen.is_cut
            for watch in watches:
                if watch.known == known:
                    watch.take(context, seen)
        return 0.0 if is_cut else SUBSCRIPTION_LOOK_S


@strawberry.type
class OfferSubscriptions:
    """What a driver may follow of offers."""

    @strawberry.subscription(
        graphql_type=outcome_of(OfferUpdate, "OfferReceivedResult"),
        description="Follow the spaces that you are offered: first those that are open, then each "
        "that is new, accepted, declined or expired. A refusal is the last message.",
    )
    def offer_received(
        self,
        info: Info,
        after_version: Annotated[
            int | None,
            strawberry.argument(
                description="The last `version` that you know: the first message then brings what "
                "you missed. Without it, every open offer."
            ),
        ] = None,
    ) -> AsyncGenerator[OfferUpdate | AnyRefusal]:
        """Return the offers, and what is new of them."""
        # Not a generator itself: it would keep `info`, and what that keeps.
        return _follow(info.context, after_version)


async def _follow(
    context: RequestContext, after_version: int | None
) -> AsyncGenerator[OfferUpdate | AnyRefusal]:
    try:
        identity = context.identity()
        watch = OfferWatch(identity, after_version)
        async for update in _feed(context, identity.driver_id).updates(watch):
            yield update
            del update
    except ParkingError as error:
        yield refusal_of(error)


def _feed(context: RequestContext, driver_id: UUID) -> OfferFeed:
    shared, key = context.config.shared, (OfferFeed, driver_id)
    return shared.find(
        key, lambda: OfferFeed(context.of_nobody(), driver_id, lambda: shared.drop(key))
    )
