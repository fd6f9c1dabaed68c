"""Whether every driver was told: what PostgreSQL, FCM and the gateway say, side by side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import text

from parking.events.types import EventType
from parking.flows.context import ParkingContext
from sesame.bench.notifications.ground import Told

_COUNTS: Final = text(
    """
    SELECT
        (SELECT count(*) FROM notices WHERE event_id = ANY(:deductions)) AS notices,
        (SELECT count(DISTINCT event_id) FROM notices WHERE event_id = ANY(:deductions)) AS noted,
        (SELECT count(*) FROM notices WHERE event_id = ANY(:waiting)) AS waiting_noted,
        (SELECT count(DISTINCT event_id) FROM deliveries
            WHERE event_id = ANY(:deductions) AND state = 'sent') AS reached,
        (SELECT count(*) FROM deliveries
            WHERE event_id = ANY(:deductions) AND state = 'sent' AND channel = 'sms') AS texts,
        (SELECT count(*) FROM deliveries
            WHERE event_id = ANY(:deductions) AND state = 'sent' AND channel = 'push') AS pushes,
        (SELECT count(*) FROM deliveries WHERE event_id = ANY(:waiting)) AS waiting_sent,
        (SELECT count(*) FROM outbox WHERE next_at > '9000-01-01' AND done_at IS NULL) AS parked,
        (SELECT count(*) FROM (
            SELECT driver_id FROM notices GROUP BY driver_id
            HAVING max(number) <> count(*)
        ) AS gaps) AS miscounted
    """
)


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found.

    Attributes:
        notices: Rows in inboxes about deductions.
        noted: Deductions that are in an inbox.
        reached: Deductions that at least one channel took.
        waiting_noted: Events that can wait, in the inboxes of those who want to be left alone.
        disturbed: Messages about them that were sent all the same.
        miscounted: Drivers whose notices are not numbered 1, 2, 3 ….
        sent_again: Copies of a push that FCM had taken already; the phone shows one.
        failures: How often FCM failed, by how.
    """

    deductions: int
    notices: int
    noted: int
    reached: int
    pushes: int
    texts: int
    waiting: int
    waiting_noted: int
    disturbed: int
    parked: int
    miscounted: int
    sent_again: int
    failures: dict[str, int]

    @property
    def is_right(self) -> bool:
        """Whether everybody was told once in the inbox, by some channel, and nobody was woken."""
        return (
            self.notices == self.noted == self.reached == self.deductions
            and self.waiting_noted == self.waiting
            and (self.disturbed, self.parked, self.miscounted) == (0, 0, 0)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return asdict(self)


async def audit(context: ParkingContext, told: Told, pushed: Sequence[dict[str, Any]]) -> Audit:
    """Count what became of the events."""
    values = {"deductions": list(told.deductions), "waiting": list(told.waiting)}
    async with context.database.begin() as unit:
        row = (await unit.run(_COUNTS, values)).one()
    outcomes = Counter(str(one["outcome"]) for one in pushed)
    taken = Counter(
        one["message"]["data"]["delivery_id"] for one in pushed if one["outcome"] == "taken"
    )
    woken = [one for one in pushed if one["message"]["data"]["type"] == EventType.PAYMENT_REFUNDED]
    return Audit(
        deductions=len(told.deductions),
        notices=int(row.notices),
        noted=int(row.noted),
        reached=int(row.reached),
        pushes=int(row.pushes),
        texts=int(row.texts),
        waiting=len(told.waiting),
        waiting_noted=int(row.waiting_noted),
        disturbed=int(row.waiting_sent) + len(woken),
        parked=int(row.parked),
        miscounted=int(row.miscounted),
        sent_again=sum(count - 1 for count in taken.values()),
        failures={name: count for name, count in sorted(outcomes.items()) if name != "taken"},
    )
