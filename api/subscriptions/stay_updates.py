"""What subscribers of a stay are told, made once for all of them."""

from datetime import datetime
from enum import StrEnum
from functools import cached_property

import strawberry

from api.request import RequestContext
from api.subscriptions.encodings import Encodings
from api.types.bill import Bill
from api.types.session import Session
from parking.events import outbox
from parking.flows.driver_view import SessionView
from parking.flows.watched_stays import StayChange


@strawberry.enum(
    name="SessionUpdateReason",
    description="SNAPSHOT: it is told as it is. CHANGE: something happened. TICK: time passed, and "
    "another amount is due. More values may come: treat an unknown one as SNAPSHOT.",
)
class UpdateReason(StrEnum):
    """Why an update came."""

    SNAPSHOT = "snapshot"
    CHANGE = "change"
    TICK = "tick"


@strawberry.type(description="The stay after one change, or as it is now.")
class SessionUpdate:
    """The stay after one change."""

    reason: UpdateReason = strawberry.field(description="Why the message came.")
    version: int = strawberry.field(
        description="Counts up by one a CHANGE. Give the last one as `afterVersion` to go on "
        "after a lost connection."
    )
    event: str | None = strawberry.field(
        description="What happened, such as `SessionEntered`; null unless CHANGE."
    )
    occurred_at: datetime = strawberry.field(description="When that was.")
    session: Session = strawberry.field(
        description="As it is now: at least as new as `version`, also while older changes are told."
    )
    encodings: strawberry.Private[Encodings]


@strawberry.type(description="What a stay costs, as of now.")
class BillUpdate:
    """What a stay costs."""

    reason: UpdateReason = strawberry.field(description="Why the message came.")
    version: int = strawberry.field(
        description="The stay's, whose last change the bill takes into account. Give the last one "
        "as `afterVersion` to learn of every event after a lost connection."
    )
    events: list[str] = strawberry.field(
        description="What happened to the stay since the last message, such as `PaymentCharged`, "
        "oldest first."
    )
    bill: Bill = strawberry.field(description="What leaving now would cost, line by line.")
    encodings: strawberry.Private[Encodings]


class StayReading:
    """One reading of a stay; every subscriber is given the same objects."""

    def __init__(
        self, context: RequestContext, view: SessionView, changes: tuple[StayChange, ...]
    ) -> None:
        self.view = view
        self.changes = changes
        self._context = context
        self._changes: dict[int, SessionUpdate] = {}
        self._states: dict[tuple[UpdateReason, int], SessionUpdate] = {}
        self._bills: dict[tuple[UpdateReason, tuple[str, ...]], BillUpdate] = {}

    @property
    def is_cut(self) -> bool:
        """Whether there are more changes than were read."""
        return len(self.changes) >= outbox.CATCH_UP_MAX

    def since(self, version: int | None) -> list[StayChange]:
        """Return what happened after a version, as far as it was read."""
        if version is None:
            return []
        return [change for change in self.changes if change.version > version]

    def changed(self, change: StayChange) -> SessionUpdate:
        """Return the update that tells of a change."""
        found = self._changes.get(change.version)
        if found is None:
            found = self._changes[change.version] = SessionUpdate(
                reason=UpdateReason.CHANGE,
                version=change.version,
                event=change.type,
                occurred_at=change.occurred_at,
                session=self._session,
                encodings=Encodings(self._context),
            )
        return found

    def state(self, reason: UpdateReason, version: int) -> SessionUpdate:
        """Return the update that tells the stay as it is."""
        found = self._states.get((reason, version))
        if found is None:
            found = self._states[reason, version] = SessionUpdate(
                reason=reason,
                version=version,
                event=None,
                occurred_at=self.view.bill.as_of,
                session=self._session,
                encodings=Encodings(self._context),
            )
        return found

    def bill(self, reason: UpdateReason, events: tuple[str, ...]) -> BillUpdate:
        """Return the update that tells the bill as it is."""
        found = self._bills.get((reason, events))
        if found is None:
            found = self._bills[reason, events] = BillUpdate(
                reason=reason,
                version=self.view.version,
                events=list(events),
                bill=Bill.of(self.view.bill),
                encodings=Encodings(self._context),
            )
        return found

    @cached_property
    def _session(self) -> Session:
        return Session.of(self.view)
