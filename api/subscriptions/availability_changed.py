"""`availabilityChanged`: how much room a place has, whenever that is another number."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import strawberry

from api import reads
from api.acting import outcome_of
from api.config import SUBSCRIPTION_LOOK_S
from api.global_ids import decode_keys
from api.refusals import AnyRefusal, refusal_of
from api.request import Info, RequestContext
from api.subscriptions.encodings import Encodings
from api.subscriptions.feed import Feed
from api.subscriptions.watch import Watch
from api.types.availability import AreaAvailability
from parking.events.pokes import place_channel
from parking.flows.watched_sign_ins import find_standing
from parking.kit.errors import ParkingError
from parking.kit.token_errors import TokenRefusedError

# A busy place counts many cars a second; nobody reads so many numbers.
AVAILABILITY_INTERVAL_S: Final = 1.0


@strawberry.type(description="How much room a place has for anybody, area by area.")
class AvailabilityUpdate:
    """How much room a place has."""

    as_of: datetime = strawberry.field(description="When it was read.")
    areas: list[AreaAvailability] = strawberry.field(description="Each level or zone.")
    encodings: strawberry.Private[Encodings]


class PlaceWatch(Watch[AvailabilityUpdate]):
    """A subscriber of a place's room."""

    told: list[AreaAvailability] | None = None

    def take(self, update: AvailabilityUpdate) -> None:
        """Take the numbers, if they are other ones than it was told."""
        if update.areas != self.told:
            self.told = update.areas
            self.give([update])


class PlaceFeed(Feed[PlaceWatch]):
    """A place's room: public numbers, so that one execution serves every driver."""

    def __init__(
        self,
        context: RequestContext,
        place: strawberry.ID,
        place_id: UUID,
        on_empty: Callable[[], None],
    ) -> None:
        parking = context.parking
        super().__init__(
            parking.bus, place_channel(place_id), on_empty, interval_s=AVAILABILITY_INTERVAL_S
        )
        self._context = context
        self._place = place
        self._checked_at: datetime | None = None
        self._last: AvailabilityUpdate | None = None

    def welcome(self, watch: PlaceWatch) -> bool:
        """Give the newest numbers, however many come at once."""
        if self._last is not None:
            watch.take(self._last)
        return self._last is not None

    async def read(self) -> float:
        """Read the numbers, and give them to whoever knows others.

        Raises:
            DatabaseUnavailableError: PostgreSQL does not answer.
        """
        await self._end_signed_out()
        areas = await reads.availability(self._context, self._place)
        now = self._context.parking.clock.now()
        update = AvailabilityUpdate(
            as_of=now, areas=areas, encodings=Encodings(self._context.of_nobody())
        )
        self._last = update
        for watch in self.ready_watches():
            watch.take(update)
        return SUBSCRIPTION_LOOK_S

    async def _end_signed_out(self) -> None:
        """End the watches of who signed out; not often, for the numbers are nobody's secret."""
        now = self._context.parking.clock.now()
        checked_at = self._checked_at or now
        self._checked_at = checked_at
        if (now - checked_at).total_seconds() < SUBSCRIPTION_LOOK_S:
            return
        self._checked_at = now
        watches = list(self.watches)
        standing = await find_standing(self._context.parking, [watch.identity for watch in watches])
        for watch in watches:
            if watch.identity.sign_in_id not in standing:
                watch.end(TokenRefusedError())


@strawberry.type
class AvailabilitySubscriptions:
    """What a driver may follow of a place."""

    @strawberry.subscription(
        graphql_type=outcome_of(AvailabilityUpdate, "AvailabilityChangedResult"),
        description="Follow how much room a place has: the numbers as they are, then again "
        "whenever they are other ones, once a second at most. A refusal is the last message.",
    )
    def availability_changed(
        self, info: Info, place_id: strawberry.ID
    ) -> AsyncGenerator[AvailabilityUpdate | AnyRefusal]:
        """Return the numbers, and what they become."""
        # Not a generator itself: it would keep `info`, and what that keeps.
        return _follow(info.context, place_id)


async def _follow(
    context: RequestContext, place_id: strawberry.ID
) -> AsyncGenerator[AvailabilityUpdate | AnyRefusal]:
    try:
        operator_id, key = decode_keys(place_id, kind="Place", count=2, field="placeId")
        watch = PlaceWatch(await context.driver())
        async for update in _feed(context, place_id, operator_id, key).updates(watch):
            yield update
            del update
    except ParkingError as error:
        yield refusal_of(error)


def _feed(
    context: RequestContext, place: strawberry.ID, operator_id: UUID, place_id: UUID
) -> PlaceFeed:
    shared, key = context.config.shared, (PlaceFeed, operator_id, place_id)
    return shared.find(
        key,
        lambda: PlaceFeed(context.of_nobody(), place, place_id, lambda: shared.drop(key)),
    )
