"""From hypotheses to a read, formats as weights, and the guess of a region."""

import pytest

from parking.plates.reads import Alternative, CharacterRead
from recognition.ctc import Hypothesis
from recognition.formats import format_weight, guess_region
from recognition.read import plate_read


def test_nothing_legible_is_no_read() -> None:
    assert plate_read([Hypothesis("", 1.0)]) is None
    assert plate_read([Hypothesis("A" * 17, 1.0)]) is None


def test_a_read_has_alternatives_and_probabilities_of_characters() -> None:
    read = plate_read([Hypothesis("苏E6P8T5", 0.7), Hypothesis("苏E6PBT5", 0.2)])
    assert read is not None
    assert (read.text, read.confidence, read.region) == ("苏E6P8T5", 0.7, "cn")
    assert read.alternatives == (Alternative(text="苏E6PBT5", probability=0.2),)
    assert read.characters[4] == CharacterRead(char="8", probability=0.7)
    assert read.characters[3] == CharacterRead(char="P", probability=0.9)


def test_a_known_format_outweighs_a_slightly_likelier_text() -> None:
    read = plate_read([Hypothesis("L2G4WYT", 0.45), Hypothesis("LN64WYT", 0.45)])
    assert read is not None
    assert read.text == "LN64WYT"
    # The probabilities are shifted, not made up: together they stay what they were.
    assert read.confidence + read.alternatives[0].probability == pytest.approx(0.9, abs=1e-3)


def test_an_unknown_format_can_still_win() -> None:
    read = plate_read([Hypothesis("7QQ9K2X4A", 0.9), Hypothesis("MKL4731", 0.05)])
    assert read is not None
    assert (read.text, read.region) == ("7QQ9K2X4A", None)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("京A7K392", "cn"),
        ("沪AD61725", "cn"),
        ("粤B12345D", "cn"),
        ("川A8999学", "cn"),
        ("LN64WYT", "gb"),
        ("BRA2E19", "br"),
        ("4821KLM", "es"),
        ("B38KTV", "ro"),
        ("AX417RT", "eu"),
        ("MKL4731", "de"),
        ("7ABC123", "us"),
        ("京AI0000", None),
        ("Z", None),
    ],
)
def test_region(text: str, region: str | None) -> None:
    assert guess_region(text) == region
    unknown = 0.1 if "京" in text else 0.4
    assert format_weight(text) == (unknown if region is None else 1.0)
