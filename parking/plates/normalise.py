"""One spelling for every plate, whoever typed or read it."""

import unicodedata
from typing import Final

from parking.kit.errors import InvalidInputError
from parking.plates.reads import TEXT_LENGTH_MAX

TEXT_LENGTH_MIN: Final = 2
# What a person may type around a plate; longer input is refused before it is looked at.
INPUT_LENGTH_MAX: Final = 64

# Plates use only those Cyrillic and Greek letters that look Latin, and cameras read them as Latin.
_LOOK_ALIKES: Final = str.maketrans(
    "АВЕКМНОРСТУХ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",  # noqa: RUF001 - Cyrillic and Greek on purpose
    "ABEKMHOPCTYX" + "ABEZHIKMNOPTYX",
)
_SEPARATORS: Final = frozenset(".,:_/|·•‧・'")
# Dashes, spaces, and invisible marks that come with text copied from a page.
_SEPARATOR_CATEGORIES: Final = frozenset({"Pd", "Zs", "Cf"})


def fold_plate(text: str) -> str:
    """Return `text` in capitals, full-width forms narrowed, separators and hidden marks out."""
    folded = unicodedata.normalize("NFKC", text).upper()
    folded = unicodedata.normalize("NFC", folded).translate(_LOOK_ALIKES)
    return "".join(_digit(char) for char in folded if not _is_separator(char))


def normalise_plate(text: str, *, field: str = "plate") -> str:
    """Return the one spelling of a plate that a person typed.

    Args:
        text: As typed, such as `b-sm 1234` or `京A·12345`.
        field: The input's name, for the error.

    Raises:
        InvalidInputError: no plate can read so.
    """
    if len(text) > INPUT_LENGTH_MAX:
        raise InvalidInputError(field, f"at most {INPUT_LENGTH_MAX} characters")
    folded = fold_plate(text)
    if not TEXT_LENGTH_MIN <= len(folded) <= TEXT_LENGTH_MAX:
        raise InvalidInputError(field, f"{TEXT_LENGTH_MIN} to {TEXT_LENGTH_MAX} letters and digits")
    if not all(char.isalnum() for char in folded):
        raise InvalidInputError(field, "letters and digits only")
    return folded


def _digit(char: str) -> str:
    value = unicodedata.decimal(char, None)
    return char if value is None else str(value)


def _is_separator(char: str) -> bool:
    return char in _SEPARATORS or unicodedata.category(char) in _SEPARATOR_CATEGORIES
