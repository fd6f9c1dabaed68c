"""Turns the reader's columns into texts: prefix beam search.

Graves et al., "Connectionist Temporal Classification", 2006; Hannun et al., "First-Pass Large
Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs", 2014.
"""

from collections import defaultdict
from typing import Final, NamedTuple

import numpy as np

from recognition.alphabet import ALPHABET, BLANK
from recognition.images import Floats

BEAM_WIDTH: Final = 12
# A class this unlikely in a column is not followed: it could not win any more.
_PROBABILITY_MIN: Final = 1e-3
_CLASSES_MAX: Final = 8


class Hypothesis(NamedTuple):
    """A text and the probability that the columns spell it."""

    text: str
    probability: float


def beam_search(
    logarithms: Floats, *, width: int = BEAM_WIDTH, probability_min: float = _PROBABILITY_MIN
) -> list[Hypothesis]:
    """Return the likeliest texts, best first; ties in alphabetical order.

    Args:
        logarithms: Columns x classes, logarithms of probabilities; class 0 is the blank.
        width: How many texts are followed.
        probability_min: Classes below are skipped in a column; 0 follows all of them.
    """
    probabilities = np.exp(logarithms.astype(np.float64))
    # For each prefix: the probability of ending in a blank, and of ending in its last character.
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for column in probabilities:
        classes = _likely(column, probability_min)
        beam = _best(_extended(beam, column, classes), width)
    ranked = [
        Hypothesis("".join(ALPHABET[index - 1] for index in prefix), blank + last)
        for prefix, (blank, last) in beam.items()
    ]
    return sorted(ranked, key=lambda each: (-each.probability, each.text))


def _likely(column: np.ndarray, probability_min: float) -> list[int]:
    if probability_min <= 0:
        return [index for index in range(len(column)) if index != BLANK]
    order = np.argsort(-column)[: _CLASSES_MAX + 1].tolist()
    return [index for index in order if index != BLANK and column[index] >= probability_min]


def _extended(
    beam: dict[tuple[int, ...], tuple[float, float]], column: np.ndarray, classes: list[int]
) -> dict[tuple[int, ...], tuple[float, float]]:
    blanks: defaultdict[tuple[int, ...], float] = defaultdict(float)
    lasts: defaultdict[tuple[int, ...], float] = defaultdict(float)
    for prefix, (blank, last) in beam.items():
        total = blank + last
        blanks[prefix] += total * float(column[BLANK])
        if prefix:
            lasts[prefix] += last * float(column[prefix[-1]])
        for index in classes:
            # The same character again is a new one only after a blank.
            before = blank if prefix and prefix[-1] == index else total
            lasts[(*prefix, index)] += before * float(column[index])
    return {prefix: (blanks[prefix], lasts[prefix]) for prefix in {**blanks, **lasts}}


def _best(
    beam: dict[tuple[int, ...], tuple[float, float]], width: int
) -> dict[tuple[int, ...], tuple[float, float]]:
    possible = (item for item in beam.items() if sum(item[1]) > 0)
    ranked = sorted(possible, key=lambda item: (-sum(item[1]), item[0]))
    return dict(ranked[:width])
