"""Reads the text of a detected plate."""

from typing import Final

import numpy as np

from parking.plates.reads import (
    ALTERNATIVES_MAX,
    TEXT_LENGTH_MAX,
    Alternative,
    CharacterRead,
    PlateRead,
)
from recognition.ctc import Hypothesis, beam_search
from recognition.formats import format_weight, guess_region
from recognition.images import Corners, GrayPicture, Picture, as_floats
from recognition.inference import Network
from recognition.rectify import may_have_two_rows, plate_row, two_rows

# Below this an alternative helps nobody.
_ALTERNATIVE_PROBABILITY_MIN: Final = 1e-3
# A plate with two rows has at least this many characters in each.
_ROW_LENGTH_MIN: Final = 2
_ROW_HYPOTHESES_MAX: Final = 4


class Reader:
    """Reads plates with one network."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def read(self, picture: Picture, corners: Corners) -> PlateRead | None:
        """Return what stands on the plate, or `None` if nothing legible does."""
        if may_have_two_rows(corners):
            rows = (plate_row(picture, corners), *two_rows(picture, corners))
            whole, upper, lower = self._hypotheses(rows)
            # American plates are as tall with one row: believe the likelier.
            return _surer(plate_read(whole), plate_read(_joined(upper, lower)))
        return plate_read(self._hypotheses((plate_row(picture, corners),))[0])

    def _hypotheses(self, rows: tuple[GrayPicture, ...]) -> list[list[Hypothesis]]:
        batch = as_floats(np.stack(rows)[:, None].astype(np.float32))
        return [beam_search(columns) for columns in self._network.run(batch)[0]]


def plate_read(hypotheses: list[Hypothesis]) -> PlateRead | None:
    """Weigh texts by their formats and make a read of the best; `None` if all are empty.

    A character's probability is the share of the texts of equal length that have it there.
    """
    legible = [each for each in hypotheses if 0 < len(each.text) <= TEXT_LENGTH_MAX]
    if not legible:
        return None
    ranked = _reweighted(legible)
    best = ranked[0]
    alike = [each for each in ranked if len(each.text) == len(best.text)]
    characters = tuple(
        CharacterRead(
            char=char,
            probability=_share(sum(h.probability for h in alike if h.text[position] == char)),
        )
        for position, char in enumerate(best.text)
    )
    alternatives = tuple(
        Alternative(text=each.text, probability=_share(each.probability))
        for each in ranked[1 : ALTERNATIVES_MAX + 1]
        if each.probability >= _ALTERNATIVE_PROBABILITY_MIN
    )
    return PlateRead(
        text=best.text,
        confidence=_share(best.probability),
        alternatives=alternatives,
        characters=characters,
        region=guess_region(best.text),
    )


def _share(probability: float) -> float:
    return round(min(1.0, probability), 4)


def _reweighted(hypotheses: list[Hypothesis]) -> list[Hypothesis]:
    """Weigh by format; the sum of the probabilities stays what it was."""
    weights = [each.probability * format_weight(each.text) for each in hypotheses]
    factor = sum(each.probability for each in hypotheses) / max(sum(weights), 1e-30)
    changed = [
        Hypothesis(each.text, weight * factor)
        for each, weight in zip(hypotheses, weights, strict=True)
    ]
    return sorted(changed, key=lambda each: (-each.probability, each.text))


def _joined(upper: list[Hypothesis], lower: list[Hypothesis]) -> list[Hypothesis]:
    return [
        Hypothesis(one.text + other.text, one.probability * other.probability)
        for one in upper[:_ROW_HYPOTHESES_MAX]
        for other in lower[:_ROW_HYPOTHESES_MAX]
        if min(len(one.text), len(other.text)) >= _ROW_LENGTH_MIN
    ]


def _surer(one: PlateRead | None, other: PlateRead | None) -> PlateRead | None:
    if one is None or other is None:
        return one or other
    return other if other.confidence > one.confidence else one
