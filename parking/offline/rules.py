"""In which order offline decisions of one plate become stays: pure, no I/O.

Lanes tell of what they decided in any order, so an exit may be known before its entry. Whatever
the order in which the decisions of one plate arrive, the stays are those of the order of time, as
long as each decision arrives before it is given up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

# Other lanes of the place may still have to come back with what belongs to it.
SETTLE_AFTER: Final = timedelta(minutes=10)
LOOK_AGAIN_AFTER: Final = timedelta(hours=1)
# A journal that comes later than this is a person's to look at, and no clock of an edge is trusted
# to move money further back.
AGE_MAX: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A decision that has not become part of a stay yet.

    Attributes:
        at: When its car came.
        is_overdue: Whether what it waits for should have come by now.
    """

    id: UUID
    is_entry: bool
    at: datetime
    is_overdue: bool


def next_passage(open_since: datetime | None, waiting: Iterable[Waiting]) -> Waiting | None:
    """Return which decision of a plate is to be carried out now; None for none.

    Args:
        open_since: When the stay of the plate began that has not ended; None where none has.
        waiting: Decisions to open, of this plate at this place.
    """
    ordered = sorted(waiting, key=lambda item: (item.at, item.id))
    entries = [item for item in ordered if item.is_entry]
    if open_since is None:
        return entries[0] if entries else None
    leaving = next((item for item in ordered if not item.is_entry and item.at >= open_since), None)
    later = [item for item in entries if item.at > open_since]
    if leaving is not None and not any(item.at <= leaving.at for item in later):
        return leaving
    # It came in again, so it had left: the lane where it did may still tell when.
    return next((item for item in later if item.is_overdue), None)


def believed_time(said: datetime, now: datetime, not_before: datetime | None = None) -> datetime:
    """Return when a car came, from what its lane says: never ahead, and not long ago.

    Args:
        said: By the lane.
        now: By our clock.
        not_before: The earliest that it can be, by what the lane told before; None for any time.
    """
    earliest = now - AGE_MAX
    return min(max(said, earliest, not_before or earliest), now)
