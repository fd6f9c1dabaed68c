"""The vote over the frames of one presentation."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.plates.reads import Alternative, CharacterRead, PlateRead
from recognition.vote import AGREED_CONFIDENCE_MIN, Vote, vote

TEXTS = st.text(alphabet="0123ABD川", min_size=1, max_size=8)
SHARES = st.floats(min_value=0, max_value=1)


def read(text: str, confidence: float, *alternatives: tuple[str, float]) -> PlateRead:
    return PlateRead(
        text=text,
        confidence=confidence,
        alternatives=tuple(Alternative(text=each, probability=p) for each, p in alternatives),
        characters=tuple(CharacterRead(char=char, probability=confidence) for char in text),
    )


@st.composite
def reads(draw: st.DrawFn) -> PlateRead:
    text = draw(TEXTS)
    others = draw(st.lists(st.tuples(TEXTS, SHARES), max_size=3))
    return read(text, draw(SHARES), *[other for other in others if other[0] != text])


def test_no_reads_vote_for_nothing() -> None:
    assert vote([]) == Vote(None, agreed=False)


def test_one_sure_read_does_not_agree_with_itself() -> None:
    result = vote([read("MKL4731", 0.999)])
    assert result.read is not None
    assert (result.read.text, result.read.confidence, result.read.frames) == ("MKL4731", 0.999, 1)
    assert result.agreed is False


def test_two_sure_reads_agree() -> None:
    result = vote([read("MKL4731", 0.95), read("MKL4731", 0.9)])
    assert result.read is not None
    # The doubt of the surer read, 0.05, is halved by the other.
    assert (result.read.text, result.read.confidence) == ("MKL4731", 0.975)
    assert result.read.region == "de"
    assert result.agreed is True


def test_two_faint_reads_do_not_agree() -> None:
    result = vote([read("MKL4731", 0.5), read("MKL4731", 0.5)])
    assert result.read is not None
    assert result.read.confidence == 0.75
    assert result.agreed is False


def test_the_surer_character_wins_position_by_position() -> None:
    result = vote([read("AB0", 0.9), read("AB8", 0.4), read("AD0", 0.4)])
    assert result.read is not None
    assert result.read.text == "AB0"
    assert [each.char for each in result.read.characters] == ["A", "B", "0"]
    assert {each.text for each in result.read.alternatives} == {"AB8", "AD0"}


def test_a_text_that_no_frame_said_can_win() -> None:
    result = vote([read("AB1", 0.6), read("CB2", 0.5), read("AD2", 0.5)])
    assert result.read is not None
    assert result.read.text == "AB2"
    assert result.agreed is False


def test_reads_of_another_length_do_not_shift_characters() -> None:
    result = vote([read("LN64WYT", 0.8), read("LN64WYT", 0.8), read("64WYT", 0.9)])
    assert result.read is not None
    assert result.read.text == "LN64WYT"
    assert result.read.frames == 3


def test_a_frame_that_disagrees_takes_confidence() -> None:
    alone = vote([read("AB0", 0.9), read("AB0", 0.9)])
    doubted = vote([read("AB0", 0.9), read("AB0", 0.9), read("AB8", 0.9)])
    assert alone.read is not None
    assert doubted.read is not None
    assert alone.agreed is True
    assert doubted.read.confidence == pytest.approx(0.95 * 2 / 3, abs=1e-4)
    assert doubted.agreed is False


def test_alternatives_add_up() -> None:
    result = vote([read("A8", 0.5, ("AB", 0.2)), read("AB", 0.3, ("A8", 0.1))])
    assert result.read is not None
    assert result.read.text == "A8"
    assert result.read.alternatives == (Alternative(text="AB", probability=0.25),)


@given(st.lists(reads(), max_size=6), st.integers())
def test_the_order_of_the_reads_changes_nothing(frames: list[PlateRead], seed: int) -> None:
    shuffled = frames.copy()
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - a test's order needs no secrecy
    assert vote(shuffled) == vote(frames)


@given(st.lists(reads(), min_size=1, max_size=6))
def test_agreement_needs_two_frames_and_confidence(frames: list[PlateRead]) -> None:
    result = vote(frames)
    assert result.read is not None
    assert result.read.frames == len(frames)
    if result.agreed:
        assert sum(frame.text == result.read.text for frame in frames) >= 2
        assert result.read.confidence >= AGREED_CONFIDENCE_MIN
