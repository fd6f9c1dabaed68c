"""Votes over the reads of one presentation: one car, several pictures."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import prod
from typing import Final, NamedTuple

from parking.plates.reads import ALTERNATIVES_MAX, Alternative, CharacterRead, PlateRead
from recognition.formats import guess_region

# One picture can be surely wrong; two that were taken at different moments rarely agree on it.
AGREEING_FRAMES_MIN: Final = 2
AGREED_CONFIDENCE_MIN: Final = 0.9


class Vote(NamedTuple):
    """The text that the frames favour.

    Attributes:
        read: `None` while no frame showed a plate.
        agreed: Enough frames agree with enough confidence: more would not change the decision.
    """

    read: PlateRead | None
    agreed: bool


def vote(reads: Iterable[PlateRead]) -> Vote:
    """Vote per character, each read weighing as much as its confidence.

    The result does not depend on the order of the reads.
    """
    # Sums of floats depend on their order: sorted, they do not.
    ordered = sorted(reads, key=lambda read: read.model_dump_json())
    if not ordered:
        return Vote(None, agreed=False)
    length = _length(ordered)
    voters = [read for read in ordered if len(read.text) == length]
    scores = [_scores(voters, position) for position in range(length)]
    text = "".join(min(score, key=lambda char: (-score[char], char)) for score in scores)
    shares = [score[char] / sum(score.values()) for char, score in zip(text, scores, strict=True)]
    agreeing = [read for read in ordered if read.text == text]
    confidence = _confidence(ordered, agreeing, shares)
    read = PlateRead(
        text=text,
        confidence=round(confidence, 4),
        alternatives=_alternatives(ordered, text),
        characters=tuple(
            CharacterRead(char=char, probability=round(min(1.0, share), 4))
            for char, share in zip(text, shares, strict=True)
        ),
        region=guess_region(text),
        frames=len(ordered),
    )
    enough = len(agreeing) >= AGREEING_FRAMES_MIN and confidence >= AGREED_CONFIDENCE_MIN
    return Vote(read, agreed=enough)


def _weight(read: PlateRead) -> float:
    # A read without any confidence still counts a little: it is all there may be.
    return max(read.confidence, 1e-3)


def _length(reads: list[PlateRead]) -> int:
    weights: defaultdict[int, float] = defaultdict(float)
    for read in reads:
        weights[len(read.text)] += _weight(read)
    return min(weights, key=lambda length: (-weights[length], -length))


def _scores(reads: list[PlateRead], position: int) -> Mapping[str, float]:
    """Return the weight behind each character at the position, alternatives included."""
    scores: defaultdict[str, float] = defaultdict(float)
    for read in reads:
        weight = _weight(read)
        said = read.characters[position].probability if read.characters else read.confidence
        scores[read.text[position]] += weight * max(said, 1e-3)
        for other in read.alternatives:
            if len(other.text) == len(read.text) and other.text[position] != read.text[position]:
                scores[other.text[position]] += weight * other.probability
    return scores


def _confidence(reads: list[PlateRead], agreeing: list[PlateRead], shares: list[float]) -> float:
    """Return how sure the vote is of the whole text.

    Each further frame that agrees halves the remaining doubt of the surest one (frames of one
    car are not independent, so it is not multiplied away); frames that disagree take their
    weight off.
    """
    if not agreeing:
        return prod(shares)
    surest = max(read.confidence for read in agreeing)
    doubt = (1 - surest) * 0.5 ** (len(agreeing) - 1)
    support = sum(map(_weight, agreeing)) / sum(map(_weight, reads))
    return (1 - doubt) * min(1.0, support)


def _alternatives(reads: list[PlateRead], text: str) -> tuple[Alternative, ...]:
    """Return the other texts by their mean probability over all frames."""
    sums: defaultdict[str, float] = defaultdict(float)
    for read in reads:
        sums[read.text] += read.confidence
        for other in read.alternatives:
            sums[other.text] += other.probability
    sums.pop(text, None)
    ranked = sorted(sums, key=lambda other: (-sums[other], other))[:ALTERNATIVES_MAX]
    return tuple(
        Alternative(text=other, probability=round(min(1.0, sums[other] / len(reads)), 4))
        for other in ranked
    )
