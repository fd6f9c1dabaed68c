"""One stay of one driver, watched by any number of that driver's devices."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from api.config import SUBSCRIPTION_LOOK_S
from api.request import RequestContext
from api.subscriptions.batch import Batch
from api.subscriptions.feed import Feed
from api.subscriptions.stay_rounds import StayRounds
from api.subscriptions.stay_updates import StayReading
from api.subscriptions.stay_watches import StayWatch
from parking.events.pokes import session_channel
from parking.flows.changed_stays import Known
from parking.flows.driver_view import SessionView
from parking.flows.watched_stays import Asked, Seen
from parking.kit.token_errors import TokenExpiredError, TokenRefusedError
from parking.sessions.errors import SessionUnknownError

# A change whose time has come and that is not seen yet must not spin.
TICK_S_MIN: Final = 1.0

StayReads = Batch[Asked, Seen]


class StayFeed(Feed[StayWatch[Any]]):
    """A driver's stay: one execution serves every device, for all of them are that driver's."""

    def __init__(
        self,
        context: RequestContext,
        reads: StayReads,
        rounds: StayRounds,
        driver_id: UUID,
        session_id: UUID,
        on_empty: Callable[[], None],
    ) -> None:
        super().__init__(context.parking.bus, session_channel(session_id), on_empty)
        self._context = context
        self._reads = reads
        self._rounds = rounds
        self._driver_id = driver_id
        self._session_id = session_id
        self._version: int | None = None
        self._change_at: datetime | None = None

    async def read(self) -> float | None:
        """Read the stay, and give it to whoever may still see it.

        Raises:
            SessionUnknownError: it is not, or no longer, a stay of the driver.
            DatabaseUnavailableError: PostgreSQL does not answer.
        """
        watches = self.ready_watches()
        if not watches:
            return SUBSCRIPTION_LOOK_S
        seen = await self._reads.ask(self._question(watches))
        watches = self._still_signed_in(watches, seen)
        if seen.view is None:
            raise SessionUnknownError("sessionId: expected one of yours")
        if not watches:
            return SUBSCRIPTION_LOOK_S
        context = self._context.of_driver(watches[0].identity)
        reading = StayReading(context, seen.view, seen.changes)
        for watch in watches:
            if not watch.must_wait(reading):
                watch.take(reading)
        self._version = seen.view.version
        return 0.0 if reading.is_cut else self._wait_s(self.patience_s(seen.view))

    def patience_s(self, view: SessionView) -> float:
        """Return when to look again if nothing happens."""
        self._change_at = view.bill.next_change_at
        return self._left_s()

    def known(self) -> Known | None:
        """Return what was read last, for whoever asks whether it is so still."""
        if self._version is None:
            return None
        sign_ins = frozenset(watch.identity.sign_in_id for watch in self.watches)
        return Known(self._driver_id, self._session_id, self._version, sign_ins)

    def rest(self) -> None:
        """Go on without reading; only the time brings something else."""
        wait_s = self._wait_s(self._left_s())
        if wait_s is not None:
            self._look_in(wait_s)

    def _leave(self, watch: StayWatch[Any]) -> None:
        super()._leave(watch)
        if not self.watches:
            self._rounds.leave(self)

    def _wait_s(self, patience_s: float) -> float | None:
        """Return when to look; None for what the rounds will say."""
        self._rounds.note(self)
        return patience_s if patience_s < SUBSCRIPTION_LOOK_S else None

    def _left_s(self) -> float:
        if self._change_at is None:
            return SUBSCRIPTION_LOOK_S
        left_s = (self._change_at - self._context.parking.clock.now()).total_seconds()
        # To the moment: the driver who watches sees the new amount when it is due.
        return min(left_s if left_s > 0 else TICK_S_MIN, SUBSCRIPTION_LOOK_S)

    def _question(self, watches: list[StayWatch[Any]]) -> Asked:
        known = [watch.known for watch in watches if watch.known is not None]
        return Asked(
            self._driver_id,
            self._session_id,
            min(known, default=None),
            frozenset(watch.identity.sign_in_id for watch in watches),
        )

    def _still_signed_in(self, watches: list[StayWatch[Any]], seen: Seen) -> list[StayWatch[Any]]:
        now = self._context.parking.clock.now()
        left: list[StayWatch[Any]] = []
        for watch in watches:
            if watch.identity.expires_at <= now:
                watch.end(TokenExpiredError())
            elif watch.identity.sign_in_id not in seen.standing:
                watch.end(TokenRefusedError())
            else:
                left.append(watch)
        return left
