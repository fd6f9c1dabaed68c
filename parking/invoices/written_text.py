"""What may be written on an invoice: text that XML can carry and that the PDF's font can draw."""

import unicodedata
from typing import Final

from parking.kit.errors import InvalidInputError

# Exactly what the fonts in `fonts/` contain, as code points from and to; a test compares.
_DRAWABLE: Final = (
    (0x0020, 0x007E),
    (0x00A0, 0x024F),
    (0x0370, 0x0377),
    (0x037A, 0x037E),
    (0x0384, 0x038A),
    (0x038C, 0x038C),
    (0x038E, 0x03A1),
    (0x03A3, 0x04FF),
    (0x1E00, 0x1EFB),
    (0x2010, 0x2015),
    (0x2018, 0x201E),
    (0x2020, 0x2022),
    (0x2026, 0x2026),
    (0x2030, 0x2030),
    (0x2032, 0x2033),
    (0x2039, 0x203A),
    (0x20A0, 0x20B5),
    (0x20B8, 0x20BA),
    (0x20BD, 0x20BD),
    (0x2116, 0x2116),
    (0x2122, 0x2122),
    (0x2212, 0x2212),
)
# Control, format (text direction, zero width), surrogate, private use, unassigned, line breaks.
_REFUSED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def checked_text(field: str, value: str, *, length_max: int, any_script: bool = False) -> str:
    """Return `value` composed (NFC) and without blanks around it.

    Args:
        field: Named in the error.
        value: From outside.
        length_max: In characters.
        any_script: Whether somebody else draws it, whose fonts have every script.

    Raises:
        InvalidInputError: empty, too long, or a character that could not be shown as it is.
    """
    if len(value) > length_max:
        raise InvalidInputError(field, f"at most {length_max} characters")
    text = unicodedata.normalize("NFC", value).strip()
    if not 0 < len(text) <= length_max:
        raise InvalidInputError(field, f"1 to {length_max} characters")
    for char in text:
        if unicodedata.category(char) in _REFUSED:
            raise InvalidInputError(field, f"visible characters only, not U+{ord(char):04X}")
        if not any_script and not _is_drawable(char):
            raise InvalidInputError(
                field, f"Latin, Greek or Cyrillic characters, not U+{ord(char):04X}"
            )
    return text


def can_draw(text: str) -> bool:
    """Say whether the PDF's font has every character of `text`."""
    return all(_is_drawable(char) for char in text)


def _is_drawable(char: str) -> bool:
    code = ord(char)
    if unicodedata.category(char) in _REFUSED:
        return False
    return any(first <= code <= last for first, last in _DRAWABLE)
