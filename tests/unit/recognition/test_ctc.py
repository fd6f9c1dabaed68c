"""The beam search, against the sum over every path."""

from collections import defaultdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.alphabet import ALPHABET, BLANK, CLASSES, INDEX
from recognition.ctc import beam_search
from recognition.images import Floats

SYMBOLS = (BLANK, INDEX["8"], INDEX["B"])
COLUMNS = st.lists(
    st.tuples(*[st.floats(min_value=0.01, max_value=1) for _ in SYMBOLS]), min_size=1, max_size=5
)


def logarithms(columns: list[tuple[float, ...]]) -> Floats:
    matrix = np.zeros((len(columns), CLASSES))
    for row, weights in enumerate(columns):
        matrix[row, list(SYMBOLS)] = np.array(weights) / sum(weights)
    with np.errstate(divide="ignore"):
        return np.log(matrix).astype(np.float32)


def every_path(matrix: Floats) -> dict[str, float]:
    texts: defaultdict[str, float] = defaultdict(float)
    probabilities = np.exp(matrix.astype(np.float64))
    for path in product(SYMBOLS, repeat=len(matrix)):
        collapsed = [
            symbol
            for position, symbol in enumerate(path)
            if symbol != BLANK and (position == 0 or path[position - 1] != symbol)
        ]
        text = "".join(ALPHABET[symbol - 1] for symbol in collapsed)
        texts[text] += float(np.prod(probabilities[np.arange(len(path)), path]))
    return texts


@given(COLUMNS)
def test_a_wide_beam_is_exact(columns: list[tuple[float, ...]]) -> None:
    matrix = logarithms(columns)
    expected = every_path(matrix)
    found = beam_search(matrix, width=1000, probability_min=1e-9)
    assert {each.text for each in found} == set(expected)
    for each in found:
        assert each.probability == pytest.approx(expected[each.text], rel=1e-6)


@given(COLUMNS)
def test_a_narrow_beam_promises_no_more_than_there_is(columns: list[tuple[float, ...]]) -> None:
    matrix = logarithms(columns)
    expected = every_path(matrix)
    for each in beam_search(matrix, width=3):
        assert each.probability <= expected[each.text] + 1e-9


def test_a_blank_between_keeps_both_characters() -> None:
    matrix = logarithms([(0.01, 1, 0.01), (1, 0.01, 0.01), (0.01, 1, 0.01)])
    assert beam_search(matrix)[0].text == "88"


def test_without_a_blank_repeated_columns_are_one_character() -> None:
    matrix = logarithms([(0.01, 1, 0.01), (0.01, 1, 0.01), (0.01, 1, 0.01)])
    assert beam_search(matrix)[0].text == "8"


def test_the_likeliest_text_is_not_the_likeliest_path() -> None:
    # Blank wins in each column, but the three paths that spell 8 add up to more.
    matrix = logarithms([(0.55, 0.45, 1e-9), (0.55, 0.45, 1e-9)])
    best, second = beam_search(matrix)[:2]
    assert (best.text, second.text) == ("8", "")
    assert best.probability == pytest.approx(1 - 0.55**2, abs=1e-6)


def test_equal_texts_come_in_alphabetical_order() -> None:
    found = beam_search(logarithms([(0.2, 0.4, 0.4)]))
    assert [each.text for each in found] == ["8", "B", ""]
