"""Plates as people type them."""
# ruff: noqa: RUF001 - look-alike characters are what is tested

import pytest

from parking.kit.errors import InvalidInputError
from parking.plates.normalise import fold_plate, normalise_plate


@pytest.mark.parametrize(
    ("typed", "plate"),
    [
        ("b-sm 1234", "BSM1234"),
        ("京A·12345", "京A12345"),
        ("京a·d12345", "京AD12345"),
        ("ＡＢ１２ ＣＤＥ", "AB12CDE"),
        ("ö-äü 7", "ÖÄÜ7"),
        ("o\u0308-a 7", "ÖA7"),
        ("а 123 вс 77", "A123BC77"),
        ("ΙΚΑ-1234", "IKA1234"),
        ("12\u200b-\u00a0345\u2013A", "12345A"),
        ("دبي ٥٥", "دبي55"),
        ("สก 99", "สก99"),
    ],
)
def test_one_spelling(typed: str, plate: str) -> None:
    assert normalise_plate(typed) == plate
    assert normalise_plate(plate) == plate


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", "plate: expected 2 to 16 letters and digits"),
        ("A", "plate: expected 2 to 16 letters and digits"),
        (" - · ", "plate: expected 2 to 16 letters and digits"),
        ("A" * 17, "plate: expected 2 to 16 letters and digits"),
        ("A" * 65, "plate: expected at most 64 characters"),
        ("AB 12 🚗", "plate: expected letters and digits only"),
        ("AB;DROP", "plate: expected letters and digits only"),
        ("AB\x0012", "plate: expected letters and digits only"),
    ],
)
def test_what_is_no_plate(typed: str, expected: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        normalise_plate(typed)
    assert str(refused.value) == expected
    assert refused.value.field == "plate"


def test_folding_never_refuses() -> None:
    assert fold_plate("") == ""
    assert fold_plate("?") == "?"
