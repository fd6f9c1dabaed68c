"""`sessionUpdated` and `billUpdated`: a stay now, then what happens, nothing missed."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

import strawberry

from api.acting import outcome_of
from api.config import SUBSCRIPTION_READS_AT_ONCE_MAX
from api.global_ids import decode_id
from api.refusals import AnyRefusal, refusal_of
from api.request import Info, RequestContext
from api.subscriptions.batch import Batch
from api.subscriptions.stay_feed import StayFeed, StayReads
from api.subscriptions.stay_rounds import StayRounds
from api.subscriptions.stay_updates import BillUpdate, SessionUpdate
from api.subscriptions.stay_watches import BillWatch, SessionWatch, StayWatch
from parking.flows import changed_stays, watched_stays
from parking.kit.errors import ParkingError

_READS: Final = "stay reads"
_ROUNDS: Final = "stay rounds"
_NOBODY: Final = "nobody"
_AfterVersion = Annotated[
    int | None,
    strawberry.argument(description="The last `version` that you know, after a lost connection."),
]


@strawberry.type
class StaySubscriptions:
    """What a driver may follow of a stay."""

    @strawberry.subscription(
        graphql_type=outcome_of(SessionUpdate, "SessionUpdatedResult"),
        description="Follow a stay: its state first, then every change in order, and the bill "
        "whenever it ticks. After a lost connection give the last `version` as `afterVersion`: "
        "what was missed comes first. A refusal is the last message.",
    )
    def session_updated(
        self, info: Info, session_id: strawberry.ID, after_version: _AfterVersion = None
    ) -> AsyncGenerator[SessionUpdate | AnyRefusal]:
        """Return the stay and its changes."""
        # Not a generator itself: it would keep `info`, and what that keeps.
        return _follow(info.context, session_id, after_version, SessionWatch)

    @strawberry.subscription(
        graphql_type=outcome_of(BillUpdate, "BillUpdatedResult"),
        description="Follow what a stay costs: the bill first, then again whenever what is due, "
        "what is paid or `closedUntil` changes, by an event or by time alone. After a lost "
        "connection give the last `version` as `afterVersion`: the first message then names every "
        "event that was missed. A refusal is the last message.",
    )
    def bill_updated(
        self, info: Info, session_id: strawberry.ID, after_version: _AfterVersion = None
    ) -> AsyncGenerator[BillUpdate | AnyRefusal]:
        """Return the bill and what it becomes."""
        # Not a generator itself: it would keep `info`, and what that keeps.
        return _follow(info.context, session_id, after_version, BillWatch)


async def _follow(
    context: RequestContext,
    session_id: str,
    after_version: int | None,
    make_watch: type[StayWatch[Any]],
) -> AsyncGenerator[Any]:
    try:
        key = decode_id(session_id, kind="Session", field="sessionId")
        identity = context.identity()
        watch = make_watch(identity, after_version)
        async for update in _feed(context, identity.driver_id, key).updates(watch):
            yield update
            del update
    except ParkingError as error:
        yield refusal_of(error)


def _feed(context: RequestContext, driver_id: UUID, session_id: UUID) -> StayFeed:
    shared, key = context.config.shared, (StayFeed, driver_id, session_id)

    def make() -> StayFeed:
        reads: StayReads = shared.find(_READS, lambda: _reads(context))
        rounds = shared.find(_ROUNDS, lambda: _rounds(context))
        nobody = shared.find(_NOBODY, context.of_nobody)
        return StayFeed(nobody, reads, rounds, driver_id, session_id, partial(shared.drop, key))

    return shared.find(key, make)


def _rounds(context: RequestContext) -> StayRounds:
    parking = context.parking
    return StayRounds(lambda known: changed_stays.find_changed(parking, known))


def _reads(context: RequestContext) -> StayReads:
    parking = context.parking
    return Batch(
        lambda asked: watched_stays.read_watched(parking, asked),
        size_max=watched_stays.READ_AT_ONCE_MAX,
        at_once_max=SUBSCRIPTION_READS_AT_ONCE_MAX,
    )
