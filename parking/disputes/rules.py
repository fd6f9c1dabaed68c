"""What the reads of a stay prove, and what follows from a dispute: pure, no I/O.

A bill rests on two reads: the car that came in read as the plate, and so did the car that left.
Each read gives a probability that its car was the billed plate; the stay is no surer than the
weaker of the two. Where that falls below what the model was calibrated for, whoever says that it
was not their car is believed at once. `docs/disputes.md` has the reasons.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from parking.disputes.errors import DisputeTooLateError
from parking.disputes.models import DisputeReason
from parking.kit.errors import InvalidInputError

# What a read must be worth to be believed against its driver, for a model or a camera that names
# no `deciding_threshold` of its own. It is a choice, not a measurement.
DECIDING_THRESHOLD: Final = 0.98

DISPUTABLE_FOR: Final = timedelta(days=30)
DISPUTES_PER_DAY_MAX: Final = 10
DAY: Final = timedelta(days=1)
# Somebody whose cars are misread more often than this is looked at by a person.
AUTOMATIC_REFUNDS_MAX: Final = 2
AUTOMATIC_REFUND_PERIOD: Final = timedelta(days=90)
# How long after a stay ended its own car may show up and prove that another one left on its plate.
MISREAD_FOUND_WITHIN: Final = timedelta(days=1)
# And how long at least: a car that rolls back onto its loop is read again within moments.
MISREAD_FOUND_AFTER: Final = timedelta(minutes=2)

COMMENT_LENGTH_MAX: Final = 1000
WORDS_LENGTH_MIN: Final = 3
WORDS_LENGTH_MAX: Final = 1000
_LINE_BREAKS: Final = frozenset("\n\r\t")


class ReadKind(StrEnum):
    """How a read led to the plate.

    EXACT: it says the plate. ALTERNATIVE: the reader offered the plate beside another text.
    CORRECTED: the matching took another text for the plate.
    """

    EXACT = "exact"
    ALTERNATIVE = "alternative"
    CORRECTED = "corrected"


class StaffCause(StrEnum):
    """Why a dispute waits for a person instead of being refunded at once."""

    REASON = "reason"
    NO_EVIDENCE = "no_evidence"
    EVIDENCE_SUFFICES = "evidence_suffices"
    PAID_BY_HAND = "paid_by_hand"
    DECIDED_BEFORE = "decided_before"
    TOO_MANY = "too_many"
    NO_PICTURES = "no_pictures"
    TOO_SOON = "too_soon"
    NOT_POSSIBLE = "not_possible"


@dataclass(frozen=True, slots=True)
class ReadFacts:
    """One stored read.

    Attributes:
        confidence: Of the whole text, as the reader gave it.
        distance: From the text to the stay's plate, by confusions: 0 is equal, 1 one clear
            difference.
        alternatives: Other texts that the reader offered, with their probabilities.
        characters: One probability a character of the text; empty where the reader gave none.
        source: The weights or the camera.
    """

    text: str
    confidence: float
    distance: float
    alternatives: Mapping[str, float]
    characters: tuple[float, ...]
    source: str


@dataclass(frozen=True, slots=True)
class ReadEvidence:
    """What one read says about the plate.

    Attributes:
        probability: That the car was the billed plate.
        threshold: What its source must reach to be believed.
    """

    kind: ReadKind
    probability: float
    threshold: float

    @property
    def suffices(self) -> bool:
        """Whether the read is believed against the driver's word."""
        return self.probability >= self.threshold


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all reads of a stay say about its plate.

    Attributes:
        entry: None where no read of the entry is kept.
        exit: None where the car has not come to an exit, or no read of it is kept.
    """

    entry: ReadEvidence | None
    exit: ReadEvidence | None

    @property
    def weakest(self) -> ReadEvidence | None:
        """The read that the stay stands or falls with; None without a read."""
        reads = [read for read in (self.entry, self.exit) if read is not None]
        return min(reads, key=lambda read: read.probability - read.threshold, default=None)

    @property
    def is_short(self) -> bool:
        """Whether some read falls below its threshold."""
        return self.weakest is not None and not self.weakest.suffices


@dataclass(frozen=True, slots=True)
class Circumspection:
    """What speaks against giving money back without a person, beside the reads.

    Attributes:
        is_paid_by_hand: Somebody paid on a page or in the app: they saw the bill and took it for
            theirs, or it was not the driver who paid.
        is_decided_before: The stay was refunded automatically, or a person decided about it.
        automatic_refunds: How many the driver had within AUTOMATIC_REFUND_PERIOD.
        has_pictures: Whether staff can look at every car that the case is about.
        is_too_soon: Whether the later car may be the one that left, come back onto a loop.
    """

    is_paid_by_hand: bool = False
    is_decided_before: bool = False
    automatic_refunds: int = 0
    has_pictures: bool = True
    is_too_soon: bool = False


def read_evidence(read: ReadFacts, plate: str, threshold: float) -> ReadEvidence:
    """Return what a read is worth as a proof of `plate`.

    The text itself is worth its confidence. A text that the reader offered beside it is worth the
    probability that the reader gave it. Anything else became the plate by matching only, and is
    worth at most what the confusion leaves of certainty: 1 less the distance, and never more than
    the read's own confidence.
    """
    if read.text == plate:
        return ReadEvidence(ReadKind.EXACT, read.confidence, threshold)
    if plate in read.alternatives:
        return ReadEvidence(ReadKind.ALTERNATIVE, read.alternatives[plate], threshold)
    left = max(0.0, 1.0 - read.distance)
    return ReadEvidence(ReadKind.CORRECTED, min(left, read.confidence), threshold)


def cause_for_staff(
    reason: DisputeReason, evidence: Evidence, circumspection: Circumspection
) -> StaffCause | None:
    """Return why a person must decide; None where the stay is refunded at once."""
    if reason is not DisputeReason.WRONG_VEHICLE:
        return StaffCause.REASON
    if evidence.weakest is None:
        return StaffCause.NO_EVIDENCE
    if not evidence.is_short:
        return StaffCause.EVIDENCE_SUFFICES
    return _bound(circumspection)


def cause_of_suspicion(later: ReadEvidence, circumspection: Circumspection) -> StaffCause | None:
    """Return why a person must decide on a misread that nobody has complained about.

    Args:
        later: The read of the car that came to an exit after its stay had been ended with a read
            that is short of its threshold.
        circumspection: What else speaks against it.
    """
    if later.kind is not ReadKind.EXACT or not later.suffices:
        return StaffCause.NO_EVIDENCE
    if not circumspection.has_pictures:
        return StaffCause.NO_PICTURES
    if circumspection.is_too_soon:
        return StaffCause.TOO_SOON
    return _bound(circumspection)


def _bound(circumspection: Circumspection) -> StaffCause | None:
    if circumspection.is_decided_before:
        return StaffCause.DECIDED_BEFORE
    if circumspection.is_paid_by_hand:
        return StaffCause.PAID_BY_HAND
    if circumspection.automatic_refunds >= AUTOMATIC_REFUNDS_MAX:
        return StaffCause.TOO_MANY
    return None


def check_age(age: timedelta) -> None:
    """Refuse a bill that was issued too long ago.

    Raises:
        DisputeTooLateError: it is older than DISPUTABLE_FOR.
    """
    if age > DISPUTABLE_FOR:
        raise DisputeTooLateError(DISPUTABLE_FOR.days)


def check_line(line_index: int | None, lines: int) -> None:
    """Refuse a line that the bill does not have.

    Raises:
        InvalidInputError: there is no such line.
    """
    if line_index is not None and not 0 <= line_index < lines:
        raise InvalidInputError("line_index", f"0 to {lines - 1}" if lines else "none")


def check_comment(text: str) -> str:
    """Return a driver's comment without the blanks around it; raises as `check_words`."""
    return _check_text(text, "comment", 0, COMMENT_LENGTH_MAX)


def check_words(text: str) -> str:
    """Return a decision's words without the blanks around them.

    Raises:
        InvalidInputError: too short, too long, or with control characters.
    """
    return _check_text(text, "words", WORDS_LENGTH_MIN, WORDS_LENGTH_MAX)


def _check_text(text: str, field: str, length_min: int, length_max: int) -> str:
    stripped = text.strip()
    if not length_min <= len(stripped) <= length_max:
        raise InvalidInputError(field, f"{length_min} to {length_max} characters")
    if not _is_printable(stripped):
        raise InvalidInputError(field, "text without control characters")
    return stripped


def _is_printable(text: Iterable[str]) -> bool:
    return all(char.isprintable() or char in _LINE_BREAKS for char in text)
