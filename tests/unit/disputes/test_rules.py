"""What a read proves, and who decides."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.disputes.errors import DisputeTooLateError
from parking.disputes.models import DisputeReason
from parking.disputes.rules import (
    DECIDING_THRESHOLD,
    Circumspection,
    Evidence,
    ReadEvidence,
    ReadFacts,
    ReadKind,
    StaffCause,
    cause_for_staff,
    cause_of_suspicion,
    check_age,
    check_comment,
    check_line,
    check_words,
    read_evidence,
)
from parking.kit.errors import InvalidInputError

PLATE = "京A88731"


def facts(
    text: str = PLATE,
    confidence: float = 0.99,
    distance: float = 0.0,
    alternatives: dict[str, float] | None = None,
) -> ReadFacts:
    return ReadFacts(text, confidence, distance, alternatives or {}, (), "weights-1")


def read(probability: float, kind: ReadKind = ReadKind.EXACT) -> ReadEvidence:
    return ReadEvidence(kind, probability, DECIDING_THRESHOLD)


@pytest.mark.parametrize(
    ("given_read", "kind", "probability"),
    [
        (facts(), ReadKind.EXACT, 0.99),
        (facts(confidence=0.6), ReadKind.EXACT, 0.6),
        (facts("京AB8731", 0.7, 0.25, {PLATE: 0.28}), ReadKind.ALTERNATIVE, 0.28),
        (facts("京AB8731", 0.99, 0.25), ReadKind.CORRECTED, 0.75),
        (facts("京AB8731", 0.55, 0.125), ReadKind.CORRECTED, 0.55),
        (facts("沪C00000", 0.99, 6.0), ReadKind.CORRECTED, 0.0),
    ],
)
def test_what_a_read_is_worth(given_read: ReadFacts, kind: ReadKind, probability: float) -> None:
    assert read_evidence(given_read, PLATE, 0.98) == ReadEvidence(kind, probability, 0.98)


@given(st.floats(0, 1), st.floats(0, 12), st.dictionaries(st.text(max_size=8), st.floats(0, 1)))
def test_a_probability_is_one_and_a_corrected_text_is_no_surer_than_its_read(
    confidence: float, distance: float, alternatives: dict[str, float]
) -> None:
    found = read_evidence(facts("X", confidence, distance, alternatives), PLATE, 0.98)
    assert 0 <= found.probability <= 1
    if found.kind is ReadKind.CORRECTED:
        assert found.probability <= confidence


@pytest.mark.parametrize(
    ("entry", "leaving", "weakest", "is_short"),
    [
        (0.99, 0.99, 0.99, False),
        (0.98, 0.98, 0.98, False),
        (0.99, 0.75, 0.75, True),
        (0.9, 0.99, 0.9, True),
        (0.9, None, 0.9, True),
        (None, 0.99, 0.99, False),
        (None, None, None, False),
    ],
)
def test_a_stay_is_no_surer_than_its_weakest_read(
    entry: float | None, leaving: float | None, weakest: float | None, *, is_short: bool
) -> None:
    found = Evidence(
        None if entry is None else read(entry), None if leaving is None else read(leaving)
    )
    assert (None if found.weakest is None else found.weakest.probability) == weakest
    assert found.is_short is is_short


def test_each_source_has_its_own_threshold() -> None:
    calibrated = ReadEvidence(ReadKind.EXACT, 0.9, 0.85)
    assert not Evidence(calibrated, read(0.99)).is_short
    assert Evidence(calibrated, read(0.97)).weakest == read(0.97)


SHORT = Evidence(read(0.99), read(0.75, ReadKind.CORRECTED))
SURE = Evidence(read(0.99), read(0.99))
WRONG_VEHICLE = DisputeReason.WRONG_VEHICLE


@pytest.mark.parametrize(
    ("reason", "evidence", "circumspection", "cause"),
    [
        (WRONG_VEHICLE, SHORT, Circumspection(), None),
        (WRONG_VEHICLE, SHORT, Circumspection(automatic_refunds=1), None),
        (WRONG_VEHICLE, SHORT, Circumspection(automatic_refunds=2), StaffCause.TOO_MANY),
        (WRONG_VEHICLE, SHORT, Circumspection(is_decided_before=True), StaffCause.DECIDED_BEFORE),
        (WRONG_VEHICLE, SHORT, Circumspection(is_paid_by_hand=True), StaffCause.PAID_BY_HAND),
        # Staff need no pictures to believe a driver whom the numbers believe.
        (WRONG_VEHICLE, SHORT, Circumspection(has_pictures=False), None),
        (WRONG_VEHICLE, SURE, Circumspection(), StaffCause.EVIDENCE_SUFFICES),
        (WRONG_VEHICLE, Evidence(None, None), Circumspection(), StaffCause.NO_EVIDENCE),
        *(
            (reason, SHORT, Circumspection(), StaffCause.REASON)
            for reason in DisputeReason
            if reason is not WRONG_VEHICLE
        ),
    ],
)
def test_who_decides(
    reason: DisputeReason,
    evidence: Evidence,
    circumspection: Circumspection,
    cause: StaffCause | None,
) -> None:
    assert cause_for_staff(reason, evidence, circumspection) is cause


@pytest.mark.parametrize(
    ("later", "circumspection", "cause"),
    [
        (read(0.99), Circumspection(), None),
        (read(0.97), Circumspection(), StaffCause.NO_EVIDENCE),
        (read(0.99, ReadKind.CORRECTED), Circumspection(), StaffCause.NO_EVIDENCE),
        (read(0.99), Circumspection(has_pictures=False), StaffCause.NO_PICTURES),
        (read(0.99), Circumspection(is_too_soon=True), StaffCause.TOO_SOON),
        (read(0.99), Circumspection(automatic_refunds=2), StaffCause.TOO_MANY),
        (read(0.99), Circumspection(is_paid_by_hand=True), StaffCause.PAID_BY_HAND),
        (read(0.99), Circumspection(is_decided_before=True), StaffCause.DECIDED_BEFORE),
    ],
)
def test_who_decides_on_a_misread_that_nobody_complained_about(
    later: ReadEvidence, circumspection: Circumspection, cause: StaffCause | None
) -> None:
    assert cause_of_suspicion(later, circumspection) is cause


def test_a_bill_can_be_disputed_for_thirty_days() -> None:
    check_age(timedelta(days=30))
    with pytest.raises(DisputeTooLateError):
        check_age(timedelta(days=30, seconds=1))


@pytest.mark.parametrize("line", [-1, 2, 10**9])
def test_a_line_that_is_not_there(line: int) -> None:
    check_line(None, 2)
    check_line(1, 2)
    with pytest.raises(InvalidInputError) as refused:
        check_line(line, 2)
    assert (refused.value.field, refused.value.expected) == ("line_index", "0 to 1")


@pytest.mark.parametrize("text", ["x" * 1001, "a\x00b", "\u202eabc", "a\x1b[31m"])
def test_comments_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        check_comment(text)


def test_comments_and_words_that_are_taken() -> None:
    assert check_comment("  ") == ""
    assert check_comment(" 这不是我的车。\nSee the picture. ") == "这不是我的车。\nSee the picture."
    assert check_words("Not your car.") == "Not your car."
    with pytest.raises(InvalidInputError):
        check_words("no")
