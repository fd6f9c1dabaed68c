"""The frames of one presentation and what the recognisers say of them: no I/O here."""

from dataclasses import dataclass, replace
from uuid import UUID

from gate_bridge.options import ReadingLimits
from parking.flows.lane_types import FrameUpload, Heading, ObservationMethod, ReadSource
from parking.plates.frame_stream import FrameReply
from parking.plates.reads import PlateRead


@dataclass(slots=True)
class KeptFrame:
    """A frame that no recogniser has answered.

    Attributes:
        received_s: Arrival of its last byte, by the steady clock.
        submitted_s: Last submission, by the same clock.
    """

    upload: FrameUpload
    received_s: float
    submitted_s: float
    submissions: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why reading ended.

    Attributes:
        read: The plate to decide on; None when no picture showed one.
        reply: The answer that tipped the balance, for its timings.
        received_s: Arrival of the frame that was answered.
        source: Who read the plate; None without a plate.
    """

    read: PlateRead | None
    reply: FrameReply | None = None
    received_s: float | None = None
    source: ReadSource | None = None


class Reading:
    """Gathers frames and replies until the plate is known or a bound is reached.

    Args:
        started_s: When the presentation began here, by the steady clock of every other argument.
    """

    def __init__(self, limits: ReadingLimits, started_s: float) -> None:
        self._limits = limits
        self._started_s = started_s
        self._first_answer_s: float | None = None
        self._kept: dict[UUID, KeptFrame] = {}
        self._best = Verdict(None)
        self._sure: Verdict | None = None
        self._closed = False
        self._turned_away = False
        self.frame_ids: list[UUID] = []
        self.answered = 0
        self.first_received_s: float | None = None

    @property
    def full(self) -> bool:
        """Return whether no more frames are taken."""
        return len(self.frame_ids) >= self._limits.frames_max

    def close(self) -> None:
        """Let go of the pictures: the outcome is known, and the car may stand there for long."""
        self._closed = True
        self._kept.clear()

    @property
    def crowded(self) -> bool:
        """Return whether enough frames wait for an answer."""
        return len(self._kept) >= self._limits.frames_unanswered_max

    def add(self, upload: FrameUpload, received_s: float, now_s: float) -> bool:
        """Take note of a frame; return whether it should be read.

        An old frame that nobody has answered may be let go for it.
        """
        if self.first_received_s is None:
            self.first_received_s = received_s
        if upload.frame_id in self._kept:
            return False
        self.frame_ids.append(upload.frame_id)
        if self._closed:
            return False
        self._kept[upload.frame_id] = KeptFrame(upload, received_s, now_s)
        while len(self._kept) > self._limits.frames_kept_max:
            self._kept.pop(next(iter(self._kept)))
        return True

    def answer(self, reply: FrameReply, now_s: float) -> None:
        """Take in a recogniser's reply; a repeated one changes nothing."""
        frame = self._kept.pop(reply.frame_id, None)
        if self._first_answer_s is None:
            self._first_answer_s = now_s
        if frame is not None:
            self.answered += 1
        if reply.vote is None:
            return
        source = ReadSource(ObservationMethod.ANPR, reply.model)
        best = self._best.read
        if best is None or _weight(reply.vote) >= _weight(best):
            self._best = Verdict(reply.vote, source=source)
        if reply.agreed and self._sure is None:
            self._sure = Verdict(reply.vote, reply, frame.received_s if frame else None, source)

    @property
    def turned_away(self) -> bool:
        """Return whether the car drives away from the gate, as the camera saw it last."""
        return self._turned_away

    def camera_read(self, read: PlateRead, camera: str, heading: Heading) -> None:
        """Take in the camera's own read: sure enough to decide on, or the best so far.

        While the car drives away nothing is decided, whoever reads its plate.
        """
        if heading != Heading.UNKNOWN:
            self._turned_away = heading == Heading.AWAY
        if heading == Heading.AWAY:
            return
        verdict = Verdict(read, source=ReadSource(ObservationMethod.CAMERA, camera, heading))
        best = self._best.read
        if read.confidence >= self._limits.camera_confidence_min and self._sure is None:
            self._sure = verdict
        elif best is None or read.confidence > best.confidence:
            self._best = verdict

    def verdict(self, now_s: float) -> Verdict | None:
        """Return the outcome, or None while more answers are worth waiting for."""
        if self._turned_away:
            return None
        if self._sure is not None:
            return self._sure
        if self.answered >= self._limits.answered_frames_max:
            return self._fallback()
        if self._first_answer_s is not None:
            spent = now_s - self._first_answer_s >= self._limits.reading_s_max
        else:
            spent = now_s - self._started_s >= self._limits.silent_s_max
        return self._fallback() if spent else None

    def _fallback(self) -> Verdict:
        read, source = self._best.read, self._best.source
        if read is None or source is None:
            return self._best
        if read.confidence >= self._limits.camera_confidence_min:
            return self._best
        return replace(self._best, source=replace(source, is_fallback=True))

    def silent(self, now_s: float) -> bool:
        """Return whether frames have waited so long that the driver should be told."""
        waiting_s = now_s - (self.first_received_s or now_s)
        return self._first_answer_s is None and waiting_s >= self._limits.wait_display_after_s

    def due(self, now_s: float) -> list[KeptFrame]:
        """Return the newest frames whose answer is overdue, and count their submission."""
        newest = list(self._kept.values())[-self._limits.resubmit_frames_max :]
        overdue = [
            frame
            for frame in newest
            if now_s - frame.submitted_s >= self._limits.resubmit_after_s
            and frame.submissions < self._limits.submissions_max
        ]
        for frame in overdue:
            frame.submitted_s = now_s
            frame.submissions += 1
        return overdue


def _weight(read: PlateRead) -> tuple[int, float]:
    return read.frames, read.confidence
