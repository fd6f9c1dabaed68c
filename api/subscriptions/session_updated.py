"""`sessionUpdated`: the stay now, then every change of it, nothing missed over a reconnect.

The truth is read from PostgreSQL each time; a poke only says when. A lost poke costs at most
SUBSCRIPTION_LOOK_S.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import strawberry

from api.acting import outcome_of
from api.config import SUBSCRIPTION_LOOK_S, SUBSCRIPTION_RETRY_S
from api.global_ids import decode_id
from api.refusals import AnyRefusal, refusal_of
from api.request import Info, RequestContext
from api.types.session import Session
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.listener import BusClosedError, Listener
from parking.events.pokes import session_channel
from parking.flows import driver_view
from parking.flows.driver_view import SessionView
from parking.kit.errors import ParkingError, UnavailableError
from parking.sessions.errors import SessionUnknownError

# A change whose time has come and that is not seen yet must not spin.
TICK_S_MIN = 1.0
READS_MAX = 3


@strawberry.enum(
    description="SNAPSHOT: the stay as it is. CHANGE: something happened, see `event`. TICK: time "
    "passed, and another amount is due. More values may come: treat an unknown one as SNAPSHOT."
)
class SessionUpdateReason(StrEnum):
    """Why an update came."""

    SNAPSHOT = "snapshot"
    CHANGE = "change"
    TICK = "tick"


@strawberry.type(description="The stay after one change, or as it is now.")
class SessionUpdate:
    """The stay after one change."""

    reason: SessionUpdateReason
    version: int = strawberry.field(
        description="Counts up by one a CHANGE. Give the last one as `afterVersion` to go on "
        "after a lost connection."
    )
    event: str | None = strawberry.field(
        description="What happened, such as `SessionEntered`; null unless CHANGE."
    )
    occurred_at: datetime
    session: Session = strawberry.field(
        description="As it is now: at least as new as `version`, also while older changes are told."
    )


class SessionFeed:
    """One subscriber's view of one stay."""

    def __init__(self, context: RequestContext, session_id: UUID, known: int | None) -> None:
        self._context = context
        self._parking = context.parking
        self._session_id = session_id
        self._known = known
        self._view: SessionView | None = None
        self._has_more = False
        self._is_behind = False

    async def updates(self) -> AsyncGenerator[SessionUpdate]:
        """Yield the stay, then its changes and ticks, for as long as its driver may see it.

        Raises:
            SessionUnknownError: it is not, or no longer, a stay of the signed-in driver.
            TokenRefusedError: the sign-in has ended.
        """
        async with self._parking.bus.listen(session_channel(self._session_id)) as listener:
            # After the listener is in place: a change from here on is poked.
            for update in await self._look(is_first=True):
                yield update
            while await self._wait(listener):
                for update in await self._look_again():
                    yield update

    async def _look_again(self) -> list[SessionUpdate]:
        """Read what is new; an outage is waited out, for nothing is lost by it."""
        try:
            await self._context.recheck()
            updates = await self._look(is_first=False)
        except UnavailableError:
            self._is_behind = True
            return []
        self._is_behind = False
        return updates

    async def _look(self, *, is_first: bool) -> list[SessionUpdate]:
        """Read what is new; a list longer than one page goes on with the next look."""
        before = self._view
        async with self._context.config.subscription_reads:
            events, view = await self._read_both(is_first=is_first)
        self._view = view
        self._has_more = len(events) == outbox.CATCH_UP_MAX
        if events and events[0].version == (self._known or 0) + 1:
            return self._changes(view, events)
        if is_first or events:
            # Also when the versions that were asked for are gone: the state makes up for them.
            self._known = view.version
            return [_update(SessionUpdateReason.SNAPSHOT, view, version=view.version)]
        if before is not None and before.bill.due != view.bill.due:
            return [_update(SessionUpdateReason.TICK, view, version=self._known or view.version)]
        return []

    async def _read_both(self, *, is_first: bool) -> tuple[Sequence[Event], SessionView]:
        """Read the changes, then the stay: it is never older than a change that it comes with."""
        events: Sequence[Event] = ()
        view = self._view or await self._read()
        for _ in range(READS_MAX):
            if self._known is not None:
                events = await self._events(view.operator_id, self._known)
            view = await self._read()
            # A change between the two reads: a snapshot would hide it from whoever counts.
            if events or not is_first or self._known is None or view.version <= self._known:
                break
        return events, view

    async def _read(self) -> SessionView:
        driver_id = await self._context.driver_id()
        view = await driver_view.find_session(self._parking, driver_id, self._session_id)
        if view is None:
            raise SessionUnknownError("sessionId: expected one of yours")
        return view

    async def _events(self, operator_id: UUID, known: int) -> Sequence[Event]:
        async with self._parking.database.begin() as unit:
            return await outbox.since_version(unit, operator_id, self._session_id, known)

    async def _wait(self, listener: Listener) -> bool:
        """Wait for a poke, a tick of the bill, or the time to look anyway; False at the end."""
        if self._has_more:
            return True
        try:
            async with asyncio.timeout(self._patience_s()):
                await listener.next()
        except TimeoutError:
            pass
        except BusClosedError:
            return False
        return True

    def _patience_s(self) -> float:
        if self._is_behind:
            return SUBSCRIPTION_RETRY_S
        change_at = None if self._view is None else self._view.bill.next_change_at
        if change_at is None:
            return SUBSCRIPTION_LOOK_S
        left_s = (change_at - self._parking.clock.now()).total_seconds()
        # To the moment: the driver who watches sees the new amount when it is due.
        return min(left_s if left_s > 0 else TICK_S_MIN, SUBSCRIPTION_LOOK_S)

    def _changes(self, view: SessionView, events: Sequence[Event]) -> list[SessionUpdate]:
        self._known = events[-1].version
        return [
            SessionUpdate(
                reason=SessionUpdateReason.CHANGE,
                version=event.version or 0,
                event=event.type,
                occurred_at=event.occurred_at,
                session=Session.of(view),
            )
            for event in events
        ]


@strawberry.type
class Subscription:
    """What a driver may follow."""

    @strawberry.subscription(
        graphql_type=outcome_of(SessionUpdate, "SessionUpdatedResult"),
        description="Follow a stay: its state first, then every change in order, and the bill "
        "whenever it ticks. After a lost connection give the last `version` as `afterVersion`: "
        "what was missed comes first. A refusal is the last message.",
    )
    async def session_updated(
        self, info: Info, session_id: strawberry.ID, after_version: int | None = None
    ) -> AsyncGenerator[SessionUpdate | AnyRefusal]:
        """Yield the stay and its changes."""
        try:
            key = decode_id(session_id, kind="Session", field="sessionId")
            feed = SessionFeed(info.context, key, after_version)
            async for update in feed.updates():
                yield update
        except ParkingError as error:
            yield refusal_of(error)


def _update(reason: SessionUpdateReason, view: SessionView, *, version: int) -> SessionUpdate:
    return SessionUpdate(
        reason=reason,
        version=version,
        event=None,
        occurred_at=view.bill.as_of,
        session=Session.of(view),
    )
