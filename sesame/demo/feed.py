"""What the terminal shows: the newest state of everything, told by whoever sees it change."""

import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from parking.kit.money import Money
from sesame.demo.director import Outcome
from sesame.demo.graphql_client import Json
from sesame.demo.inboxes import Push
from sesame.demo.lane import Report
from sesame.demo.witness import Books

LOG_LINES_MAX: Final = 200
PUSHES_SHOWN_MAX: Final = 50
_STAMP: Final = re.compile(r"^\S+ (?:\S+ )?\[\w+ *\] ")
_ID: Final = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8}([0-9a-f]{4})"
)
_EMPTY: Final = re.compile(r" \w+=None\b")
_FRACTION: Final = re.compile(r"(=\d+)\.\d+\b")
_LANE_ID: Final = re.compile(r"lane_id=…(\w{4})")
# What these say stands on the lanes' own lines.
_SILENT_SUFFIXES: Final = ("-entry", "-exit", "quay")
_SILENT_EVENTS: Final = ("barrier_event",)


@dataclass(slots=True)
class LaneView:
    """A lane as one sees it.

    Attributes:
        car: Whether one stands on the loop.
        last: The newest thing that its barrier did or refused.
    """

    car: bool = False
    # An agent counts as started once it is connected, which is before it is listened to.
    connected: bool = True
    lines: Sequence[str] = ()
    qr: str | None = None
    last: str = ""


@dataclass(frozen=True, slots=True)
class StayView:
    """A running stay; `driver` is `app` where the plate is bound."""

    place: str
    plate: str
    driver: str
    stayed_s: int
    due: Money


@dataclass(slots=True)
class PlayView:
    """A scenario: its newest step, and its outcome once it is over."""

    step: str = ""
    began_s: float = 0.0
    outcome: Outcome | None = None


@dataclass(slots=True)
class Feed:
    """Everything that the terminal shows.

    Attributes:
        lane_keys: Each lane's key by the end of its id, as logs are shortened.
        ticks: The newest amount that each plate's phone was told.
        processes: Each child's state in a word.
    """

    headline: str = "Starting"
    urls: dict[str, str] = field(default_factory=dict[str, str])
    began_s: float = field(default_factory=time.monotonic)
    plays: dict[str, PlayView] = field(default_factory=dict[str, PlayView])
    lane_keys: dict[str, str] = field(default_factory=dict[str, str])
    lanes: dict[str, LaneView] = field(default_factory=dict[str, LaneView])
    stays: Sequence[StayView] = ()
    ticks: dict[str, Money] = field(default_factory=dict[str, Money])
    books: Books | None = None
    pushes: deque[Push] = field(default_factory=lambda: deque(maxlen=PUSHES_SHOWN_MAX))
    processes: dict[str, str] = field(default_factory=dict[str, str])
    log: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=LOG_LINES_MAX))

    def on_line(self, name: str, line: str) -> None:
        """Keep a line of a process's log."""
        text = _FRACTION.sub(r"\1", _EMPTY.sub("", _ID.sub(r"…\1", _STAMP.sub("", line))))
        text = " ".join(text.split())
        if name.endswith(_SILENT_SUFFIXES) or not text or text.startswith(_SILENT_EVENTS):
            return
        self.log.append((name, _LANE_ID.sub(self._lane_key, text)))

    def on_step(self, name: str, step: str) -> None:
        """Keep a scenario's newest step."""
        play = self.plays.setdefault(name, PlayView())
        if play.outcome is not None or not play.began_s:
            play.began_s, play.outcome = time.monotonic(), None
        play.step = step

    def on_outcome(self, outcome: Outcome) -> None:
        """Keep how a scenario turned out."""
        play = self.plays.setdefault(outcome.name, PlayView())
        play.outcome = outcome

    def on_update(self, plate: str, update: Json) -> None:
        """Keep what a phone was told of a running bill."""
        bill = update["session"]["bill"]
        self.ticks[plate] = Money(bill["due"]["amountMinor"], bill["total"]["currency"])

    def on_report(self, key: str, report: Report) -> None:
        """Keep what a lane's agent reported."""
        lane = self.lanes.setdefault(key, LaneView())
        match report["event"]:
            case "connected":
                lane.connected = True
            case "disconnected":
                lane.connected = False
            case "presented":
                lane.car, lane.lines, lane.qr, lane.last = True, (), None, "reading"
            case "cleared":
                lane.car, lane.lines, lane.qr = False, (), None
            case "display":
                lane.lines, lane.qr = tuple(report["lines"]), report["qr"]
                lane.last = "shut: to pay" if lane.qr else lane.last
            case "order":
                lane.last = _order(report)
            case "barrier":
                lane.last = str(report["kind"]).replace("_", " ")
            case _:
                pass

    def _lane_key(self, found: re.Match[str]) -> str:
        return self.lane_keys.get(found.group(1), found.group())


def _order(report: Report) -> str:
    if report["status"] == "accepted":
        return "order accepted"
    return f"REFUSED: {report['reason']}"
