"""How far one subscriber of a stay has seen it, and so what it is to be told of a reading."""

from abc import abstractmethod
from collections import deque

from api.subscriptions.stay_updates import BillUpdate, SessionUpdate, StayReading, UpdateReason
from api.subscriptions.watch import Update, Watch
from parking.events import outbox
from parking.flows.bills.live_bill import LiveBill
from parking.kit.money import Money
from parking.kit.tokens import DriverIdentity


class StayWatch(Watch[Update]):
    """A subscriber of a stay.

    Attributes:
        known: The version up to which it was told everything; None before it was told anything.
    """

    def __init__(self, identity: DriverIdentity, known: int | None) -> None:
        super().__init__(identity)
        self.known = known

    @abstractmethod
    def take(self, reading: StayReading) -> None:
        """Take what is new to it."""

    def must_wait(self, reading: StayReading) -> bool:
        """Return whether its changes come only after those that were read."""
        return (
            reading.is_cut and self.known is not None and self.known >= reading.changes[-1].version
        )


class SessionWatch(StayWatch[SessionUpdate]):
    """A subscriber of `sessionUpdated`."""

    def __init__(self, identity: DriverIdentity, known: int | None) -> None:
        super().__init__(identity, known)
        self._due: Money | None = None

    def take(self, reading: StayReading) -> None:
        """Take every change in order, or the stay as it is."""
        before, self._due = self._due, reading.view.bill.due
        changes = reading.since(self.known)
        if changes and changes[0].version == (self.known or 0) + 1:
            self.known = changes[-1].version
            self.give([reading.changed(change) for change in changes])
        elif changes or not self.is_started:
            # Also when the versions that were asked for are gone: the state makes up for them.
            self.known = reading.view.version
            self.give([reading.state(UpdateReason.SNAPSHOT, reading.view.version)])
        elif before is not None and before != self._due:
            self.give([reading.state(UpdateReason.TICK, self.known or reading.view.version)])


class BillWatch(StayWatch[BillUpdate]):
    """A subscriber of `billUpdated`."""

    def __init__(self, identity: DriverIdentity, known: int | None) -> None:
        super().__init__(identity, known)
        self._events: deque[str] = deque(maxlen=outbox.CATCH_UP_MAX)
        self._told: tuple[object, ...] = ()

    def take(self, reading: StayReading) -> None:
        """Take the bill, if it says something else than the last one."""
        changes = reading.since(self.known)
        self._events.extend(change.type for change in changes)
        self.known = changes[-1].version if reading.is_cut else reading.view.version
        told = _what_counts(reading.view.bill)
        if told == self._told:
            return
        self._told = told
        reason = UpdateReason.CHANGE if changes else UpdateReason.TICK
        events = tuple(self._events)
        self._events.clear()
        self.give([reading.bill(reason if self.is_started else UpdateReason.SNAPSHOT, events)])


def _what_counts(bill: LiveBill) -> tuple[object, ...]:
    return bill.due, bill.paid, bill.closed_until
