"""When reading one presentation ends, and with what."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from gate_bridge.options import ReadingLimits
from gate_bridge.reading import Reading, Verdict
from parking.flows.lane_types import FrameUpload, Heading, ObservationMethod, ReadSource
from parking.plates.frame_stream import FrameReply
from parking.plates.reads import PlateRead

LIMITS = ReadingLimits(
    frames_max=3,
    frames_kept_max=2,
    answered_frames_max=3,
    reading_s_max=6,
    silent_s_max=20,
    resubmit_after_s=1,
    resubmit_frames_max=1,
    submissions_max=3,
)
CAR = UUID(int=9)
SURE = PlateRead(text="A1", confidence=0.99, frames=2)
UNSURE = PlateRead(text="A2", confidence=0.5)
WEIGHTS = ReadSource(ObservationMethod.ANPR, "m")
CAMERA = ReadSource(ObservationMethod.CAMERA, "camera-1")


def frame(number: int) -> FrameUpload:
    captured_at = datetime(2026, 3, 1, tzinfo=UTC)
    return FrameUpload(UUID(int=number), CAR, captured_at, "image/jpeg", b"")


def reply(number: int, vote: PlateRead | None, *, agreed: bool = False) -> FrameReply:
    return FrameReply(
        lane_id=UUID(int=8),
        presentation_id=CAR,
        frame_id=UUID(int=number),
        vote=vote,
        agreed=agreed,
        error=None,
        timings_ms={},
        model="m",
    )


def reading(*numbers: int) -> Reading:
    made = Reading(LIMITS, 0.0)
    for number in numbers:
        made.add(frame(number), 0.5, 0.6)
    return made


def test_enough_waiting_frames_are_a_crowd_until_one_is_answered() -> None:
    made = Reading(ReadingLimits(frames_unanswered_max=2), 0.0)
    made.add(frame(1), 0.5, 0.6)
    assert not made.crowded
    made.add(frame(2), 0.5, 0.6)
    assert made.crowded
    made.answer(reply(1, None), 1.0)
    assert not made.crowded


def test_an_agreed_vote_ends_it_at_once() -> None:
    made = reading(1, 2)
    assert made.verdict(1.0) is None
    made.answer(reply(1, UNSURE), 1.0)
    assert made.verdict(1.0) is None
    agreed = reply(2, SURE, agreed=True)
    made.answer(agreed, 1.1)
    assert made.verdict(1.1) == Verdict(SURE, agreed, 0.5, WEIGHTS)
    made.answer(reply(1, UNSURE, agreed=True), 1.2)
    assert made.verdict(1.2) == Verdict(SURE, agreed, 0.5, WEIGHTS)


def test_enough_answers_end_it_with_the_vote_over_most_frames() -> None:
    made = Reading(LIMITS, 0.0)
    for number, vote in ((1, UNSURE), (2, SURE), (3, UNSURE)):
        made.add(frame(number), 0.5, 0.6)
        made.answer(reply(number, vote), 1.0)
    assert made.verdict(1.0) == Verdict(SURE, source=WEIGHTS)
    assert made.full


def test_a_repeated_answer_changes_nothing() -> None:
    made = reading(1)
    for _ in range(5):
        made.answer(reply(1, None), 1.0)
    assert made.answered == 1
    assert made.verdict(1.0) is None


def test_time_ends_it_after_the_first_answer() -> None:
    made = reading(1)
    made.answer(reply(1, None), 2.0)
    assert made.verdict(7.9) is None
    assert made.verdict(8.0) == Verdict(None)


def test_silence_is_waited_for_longer() -> None:
    made = reading(1)
    assert made.verdict(19.9) is None
    assert made.verdict(20.0) == Verdict(None)
    assert not made.silent(5.4)
    assert made.silent(5.5)


def test_only_the_newest_frames_are_submitted_again_and_not_for_ever() -> None:
    made = reading(1, 2, 3)
    assert made.due(1.5) == []
    assert [item.upload.frame_id.int for item in made.due(1.6)] == [3]
    assert made.due(1.7) == []
    assert [item.upload.frame_id.int for item in made.due(2.6)] == [3]
    assert made.due(3.6) == []


def test_a_sure_camera_needs_no_pictures_and_an_unsure_one_waits_for_them() -> None:
    made = reading()
    made.camera_read(UNSURE, CAMERA.name, Heading.UNKNOWN)
    assert made.verdict(1.0) is None
    made.camera_read(SURE, CAMERA.name, Heading.UNKNOWN)
    assert made.verdict(1.0) == Verdict(SURE, source=CAMERA)


def test_an_unsure_camera_that_nobody_betters_is_named_as_who_read_it() -> None:
    made = reading(1)
    made.camera_read(UNSURE, CAMERA.name, Heading.UNKNOWN)
    made.answer(reply(1, None), 2.0)
    assert made.verdict(8.0) == Verdict(UNSURE, source=replace(CAMERA, is_fallback=True))
    made.answer(reply(2, SURE), 8.0)
    assert made.verdict(8.0) == Verdict(SURE, source=WEIGHTS)


def test_once_the_outcome_is_known_no_picture_is_kept_or_read() -> None:
    made = reading(1)
    made.close()
    assert made.due(100.0) == []
    assert made.add(frame(2), 0.7, 0.8) is False
    assert [item.int for item in made.frame_ids] == [1, 2]


def test_nothing_is_decided_while_the_car_drives_away() -> None:
    made = reading(1)
    made.camera_read(UNSURE, CAMERA.name, Heading.TOWARDS)
    made.camera_read(SURE, CAMERA.name, Heading.AWAY)
    made.answer(reply(1, SURE, agreed=True), 2.0)
    assert made.turned_away
    assert (made.verdict(2.0), made.verdict(1000.0)) == (None, None)
    made.camera_read(UNSURE, CAMERA.name, Heading.UNKNOWN)
    assert made.verdict(1000.0) is None
    made.camera_read(UNSURE, CAMERA.name, Heading.TOWARDS)
    verdict = made.verdict(2.0)
    assert verdict is not None
    assert (verdict.read, verdict.source) == (SURE, WEIGHTS)


def test_a_sure_camera_says_how_the_car_drives() -> None:
    made = reading()
    made.camera_read(SURE, CAMERA.name, Heading.TOWARDS)
    assert made.verdict(1.0) == Verdict(SURE, source=replace(CAMERA, heading=Heading.TOWARDS))
