"""How wrong a device's clock is, and when a read really was taken."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# From the shutter to the last byte here: reading, writing pictures, a slow network.
LIVE_S_MAX: Final = 10.0
# Clocks of devices show whole seconds, and so do their messages.
AGREEMENT_S: Final = 1.5
AGREEMENT_APART_S: Final = 3.0
# Beyond this a clock was never set, however long its device was without network.
BACKLOG_S_MAX: Final = 7 * 86_400.0
# Of a clock that nobody has looked at; further behind, a device empties its memory.
FIRST_BEHIND_S_MAX: Final = 900.0
SAMPLES_MAX: Final = 32
SAMPLE_AGE_S_MAX: Final = 3600.0


@dataclass(frozen=True, slots=True)
class _Sample:
    received_at: datetime
    ahead_s: float


@dataclass(frozen=True, slots=True)
class _Jump:
    """A clock that was suddenly further ahead, by one message's word.

    Attributes:
        before_s: How far it was ahead until then.
    """

    before_s: float
    sample: _Sample


@dataclass(frozen=True, slots=True)
class ReadTime:
    """When a read was taken.

    Attributes:
        at: By this machine's clock, never after the receipt.
        is_late: It was taken too long before its receipt to say what is there now.
    """

    at: datetime
    is_late: bool


class DeviceClock:
    """Follows how far one device's clock is ahead of this machine's.

    What comes late looks like a clock that is behind, so the freshest of the last messages counts.
    A clock that was set back is believed once two messages agree about it: what a device sends
    from its memory does not keep the pace of the messages' receipt. A single message from the
    future moves nothing for good: the next one that is as before undoes it.

    Args:
        ahead_s: As measured before a restart; None while unknown.
    """

    def __init__(self, ahead_s: float | None = None) -> None:
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES_MAX)
        self._ahead_s = ahead_s
        self._doubted: _Sample | None = None
        self._jump: _Jump | None = None

    @property
    def ahead_s(self) -> float | None:
        """Return how far the device's clock is ahead; None while unknown."""
        return self._ahead_s

    def heard(self, device_time: datetime, received_at: datetime) -> None:
        """Take in what the device says that the time is."""
        self._samples.clear()
        self._take(_Sample(received_at, _seconds(device_time - received_at)))

    def judge(self, captured_at: datetime, received_at: datetime) -> ReadTime:
        """Return when a read was taken that the device does not call late itself."""
        sample = _Sample(received_at, _seconds(captured_at - received_at))
        if self._is_believed(sample):
            self._take(sample)
            return ReadTime(self._corrected(captured_at, received_at), is_late=False)
        self._doubted = sample
        return ReadTime(self._corrected(captured_at, received_at), is_late=True)

    def late(self, captured_at: datetime, received_at: datetime) -> ReadTime:
        """Return when a read was taken that the device itself calls late."""
        return ReadTime(self._corrected(captured_at, received_at), is_late=True)

    def _is_believed(self, sample: _Sample) -> bool:
        is_first = self._ahead_s is None and self._doubted is None
        if is_first and -sample.ahead_s <= FIRST_BEHIND_S_MAX:
            # Nobody else can say what time it is there: the receipt does.
            return True
        behind_s = (self._ahead_s or 0.0) - sample.ahead_s
        if behind_s <= LIVE_S_MAX or behind_s > BACKLOG_S_MAX:
            return True
        if self._jump is not None and abs(self._jump.before_s - sample.ahead_s) <= LIVE_S_MAX:
            self._samples.clear()
            return True
        doubted = self._doubted
        if doubted is None:
            return False
        apart_s = _seconds(sample.received_at - doubted.received_at)
        agrees = abs(sample.ahead_s - doubted.ahead_s) <= AGREEMENT_S
        if agrees and apart_s >= AGREEMENT_APART_S:
            self._samples.clear()
            return True
        return False

    def _take(self, sample: _Sample) -> None:
        self._doubted = None
        self._note_jump(sample)
        if self._ahead_s is not None and self._ahead_s - sample.ahead_s > BACKLOG_S_MAX:
            self._samples.clear()
        oldest = sample.received_at - timedelta(seconds=SAMPLE_AGE_S_MAX)
        self._samples.append(sample)
        recent = [item.ahead_s for item in self._samples if item.received_at >= oldest]
        self._ahead_s = max(recent)

    def _note_jump(self, sample: _Sample) -> None:
        # A clock that was never looked at is taken to have been right.
        before_s = self._ahead_s or 0.0
        if sample.ahead_s - before_s > AGREEMENT_S:
            self._jump = _Jump(before_s, sample)
        elif self._jump is not None:
            apart_s = _seconds(sample.received_at - self._jump.sample.received_at)
            is_same_message = abs(apart_s) < AGREEMENT_APART_S
            self._jump = self._jump if is_same_message else None

    def _corrected(self, captured_at: datetime, received_at: datetime) -> datetime:
        at = captured_at - timedelta(seconds=self._ahead_s or 0.0)
        return min(at, received_at)


def _seconds(difference: timedelta) -> float:
    return difference.total_seconds()
