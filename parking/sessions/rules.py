"""Which open session a plate read at an exit belongs to: pure, no I/O.

A reader takes a B for an 8 more easily than for a K, so a substitution costs what the confusion
is worth, and less where the reader itself was unsure. A wrong match would charge a stranger:
beyond DISTANCE_MAX, or with a second candidate closer than MARGIN_MIN, nobody is matched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

DISTANCE_MAX = 0.6
MARGIN_MIN = 0.3
CONFUSION_COST = 0.25
SUBSTITUTION_COST = 1.0
GAP_COST = 0.9
# However unsure the reader is of a character, a different one costs at least this share.
CERTAINTY_MIN = 0.5
# A text that the reader offered itself, with at least this probability, costs a confusion.
ALTERNATIVE_PROBABILITY_MIN = 0.02

# Groups of characters whose shapes readers confuse, from the field's complaints.
_CONFUSED = ("0ODQ", "1ILJT7", "2Z", "5S", "6G", "8B3", "4A", "VY", "MNH", "UV", "CG", "EF", "PR")
_CONFUSED_PAIRS = frozenset(
    frozenset((left, right))
    for group in _CONFUSED
    for left in group
    for right in group
    if left != right
)


@dataclass(frozen=True, slots=True)
class ReadText:
    """A read as the matching needs it.

    Attributes:
        probabilities: One a character of `text`, or empty where the source does not say.
        alternatives: Texts with their probabilities.
    """

    text: str
    probabilities: tuple[float, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open session and its plate."""

    session_id: UUID
    text: str


@dataclass(frozen=True, slots=True)
class Match:
    """The session that a read belongs to; distance 0 is an exact read."""

    session_id: UUID
    distance: float


def best_match(read: ReadText, candidates: Iterable[Candidate]) -> Match | None:
    """Return the open session that the read means, or None where that is not sure."""
    offered = set(_offered(read))
    certainties = _certainties(read)
    # Thousands of plates are gone through while other lanes wait: most of them by a glance.
    ranked = sorted(
        (distance(read, candidate.text), candidate.session_id)
        for candidate in candidates
        if candidate.text in offered or _is_near(read.text, certainties, candidate.text)
    )
    if not ranked or ranked[0][0] > DISTANCE_MAX:
        return None
    best, session_id = ranked[0]
    if best > 0 and len(ranked) > 1 and ranked[1][0] - best < MARGIN_MIN:
        return None
    return Match(session_id, best)


def distance(read: ReadText, plate: str) -> float:
    """Return how far the read is from the plate: 0 is equal, 1 is one clear difference."""
    if read.text == plate:
        return 0.0
    edited = _edit_distance(read.text, _certainties(read), plate)
    return min(edited, CONFUSION_COST) if plate in _offered(read) else edited


def _offered(read: ReadText) -> list[str]:
    return [text for text, chance in read.alternatives if chance >= ALTERNATIVE_PROBABILITY_MIN]


def _is_near(read: str, certainties: Sequence[float], plate: str) -> bool:
    """Return whether a plate is nearer than by a missing character.

    What is not is no match, and too far away to be a rival of one.
    """
    if len(read) != len(plate):
        return False
    apart = 0.0
    for left, right, certainty in zip(read, plate, certainties, strict=True):
        if left != right:
            apart += _substitution_cost(left, right) * max(certainty, CERTAINTY_MIN)
            if apart >= GAP_COST:
                return False
    return True


def _certainties(read: ReadText) -> Sequence[float]:
    if len(read.probabilities) == len(read.text):
        return read.probabilities
    return (1.0,) * len(read.text)


def _edit_distance(read: str, certainties: Sequence[float], plate: str) -> float:
    row = [GAP_COST * column for column in range(len(plate) + 1)]
    for left, certainty in zip(read, certainties, strict=True):
        above, row = row, [row[0] + GAP_COST]
        for column, right in enumerate(plate):
            substitution = above[column] + _substitution_cost(left, right) * max(
                certainty, CERTAINTY_MIN
            )
            row.append(min(substitution, above[column + 1] + GAP_COST, row[column] + GAP_COST))
    return row[-1]


def _substitution_cost(left: str, right: str) -> float:
    if left == right:
        return 0.0
    return CONFUSION_COST if frozenset((left, right)) in _CONFUSED_PAIRS else SUBSTITUTION_COST
