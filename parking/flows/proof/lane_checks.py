"""Whether a bill's times and its plate are those that the lanes saw. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.flows.bills.checks import Check, CheckName, compared, failed, missing, passed
from parking.kit.ids import id_time
from parking.lanes.models import Observation, Presentation
from parking.lanes.service import observation_id_of
from parking.sessions.rules import DISTANCE_MAX

# A gate's clock may be that far from ours; beyond it the gate bridge refuses what a lane reports.
CLOCKS_APART_MAX: Final = timedelta(minutes=5)
# Between pricing and issuing lies one transaction.
ISSUING_TIME_MAX: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LaneNames:
    """What the questions about one lane are called."""

    lane: str
    read: CheckName
    time: CheckName
    clock: CheckName
    plate: CheckName


ENTRY: Final = LaneNames(
    "entry",
    CheckName.ENTRY_READ,
    CheckName.ENTRY_TIME,
    CheckName.ENTRY_CLOCK,
    CheckName.ENTRY_PLATE,
)
EXIT: Final = LaneNames(
    "exit",
    CheckName.EXIT_READ,
    CheckName.EXIT_TIME,
    CheckName.EXIT_CLOCK,
    CheckName.EXIT_PLATE,
)


@dataclass(frozen=True, slots=True)
class LaneRecord:
    """What is kept of one car at one lane.

    Attributes:
        distance: How far the read is from the stay's plate; None without a read.
    """

    presentation: Presentation | None
    observation: Observation | None
    distance: float | None


@dataclass(frozen=True, slots=True)
class BilledTime:
    """A time that a bill rests on.

    Attributes:
        at: As the bill has it.
        observation_id: The read that the bill names.
        others: Times that are right as well, with the words for each.
        correction: Why the time was corrected; empty where it was not.
    """

    at: datetime
    observation_id: UUID
    others: Sequence[tuple[datetime, str]] = ()
    correction: str = ""


def check_lane(names: LaneNames, record: LaneRecord, billed: BilledTime) -> list[Check]:
    """Return whether one end of a stay is what its lane saw."""
    presentation = record.presentation
    if presentation is None:
        words = f"the car at the {names.lane} is not on record any more"
        return [missing(names.read, words), missing(names.time, words)]
    return [
        _read_check(names, record, billed),
        _time_check(names, presentation, billed),
        _clock_check(names, presentation),
        _plate_check(names, record),
    ]


def check_time_of_issue(at: datetime, issued_at: datetime) -> Check:
    """Return whether a bill that no car at an exit caused was priced when it was issued."""
    if timedelta(0) <= issued_at - at <= ISSUING_TIME_MAX:
        words = "priced at the moment that it was issued, before the car came to an exit"
        return passed(CheckName.EXIT_TIME, at.isoformat(), words)
    words = "it was not priced at the moment that it was issued"
    return failed(CheckName.EXIT_TIME, issued_at.isoformat(), at.isoformat(), words)


def _read_check(names: LaneNames, record: LaneRecord, billed: BilledTime) -> Check:
    read = record.observation
    if read is None:
        words = f"no read of the plate is kept from the {names.lane}"
        return missing(names.read, words)
    frames = f"{read.frames} {'picture' if read.frames == 1 else 'pictures'}"
    first_id = observation_id_of(read.presentation_id)
    if read.id != first_id and billed.observation_id == first_id:
        words = f"corrected by {read.source} after the first read, which is kept as well"
        return passed(names.read, str(billed.observation_id), words)
    words = f"read by {read.source} from {frames} with confidence {read.confidence:.2f}"
    return compared(
        names.read,
        str(billed.observation_id),
        str(read.id),
        words,
        f"the bill names another read than the one kept from the {names.lane}",
    )


def _time_check(names: LaneNames, presentation: Presentation, billed: BilledTime) -> Check:
    seen_at = presentation.occupied_at
    if billed.at == seen_at:
        words = f"it is when the car came onto the loop at the {names.lane}"
        return passed(names.time, billed.at.isoformat(), words)
    for other_at, words in billed.others:
        if billed.at == other_at:
            return passed(names.time, billed.at.isoformat(), words)
    if billed.correction:
        words = f"corrected from {seen_at.isoformat()}: {billed.correction}"
        return passed(names.time, billed.at.isoformat(), words)
    later = "later" if billed.at > seen_at else "earlier"
    words = f"it is {abs(billed.at - seen_at)} {later} than the lane saw the car"
    return failed(names.time, seen_at.isoformat(), billed.at.isoformat(), words)


def _clock_check(names: LaneNames, presentation: Presentation) -> Check:
    try:
        minted_at = id_time(presentation.id)
    except ValueError:
        return missing(names.clock, "the lane's own id of the car carries no time")
    apart_s = abs(presentation.occupied_at - minted_at).total_seconds()
    words = f"the lane's clock and the recorded time are {apart_s:.1f} s apart"
    limit = f"at most {CLOCKS_APART_MAX.total_seconds():.0f} s"
    if apart_s > CLOCKS_APART_MAX.total_seconds():
        return failed(names.clock, limit, f"{apart_s:.1f} s", words)
    return Check(names.clock, ok=True, expected=limit, found=f"{apart_s:.1f} s", words=words)


def _plate_check(names: LaneNames, record: LaneRecord) -> Check:
    read, distance = record.observation, record.distance
    if read is None or distance is None:
        return missing(names.plate, f"no read of the plate is kept from the {names.lane}")
    expected = f"distance at most {DISTANCE_MAX:g}"
    found = f"distance {distance:g}, confidence {read.confidence:.2f}"
    if distance > DISTANCE_MAX:
        words = f"the plate read at the {names.lane} is not the stay's plate"
        return failed(names.plate, expected, found, words)
    words = (
        "the read is the stay's plate"
        if distance == 0
        else "the read differs from the stay's plate by what readers confuse"
    )
    return Check(names.plate, ok=True, expected=expected, found=found, words=words)
