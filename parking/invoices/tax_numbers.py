"""Numbers that tax offices give: their form, and where the form has one, their check digit.

Whether a number is registered, only the tax office's own service can say.
"""

import re
from typing import Final

from parking.kit.errors import InvalidInputError

# Without the country's prefix. The European Union's are those of VIES; Greece's prefix is EL.
_VAT_PATTERNS: Final = {
    "AT": r"U\d{8}",
    "BE": r"[01]\d{9}",
    "BG": r"\d{9,10}",
    "CH": r"E\d{9}(MWST|TVA|IVA)",
    "CY": r"\d{8}[A-Z]",
    "CZ": r"\d{8,10}",
    "DE": r"\d{9}",
    "DK": r"\d{8}",
    "EE": r"\d{9}",
    "EL": r"\d{9}",
    "ES": r"[A-Z0-9]\d{7}[A-Z0-9]",
    "FI": r"\d{8}",
    "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}",
    "GB": r"(\d{9}|\d{12}|GD[0-4]\d{2}|HA[5-9]\d{2})",
    "HR": r"\d{11}",
    "HU": r"\d{8}",
    "IE": r"(\d{7}[A-W][A-I]?|\d[A-Z+*]\d{5}[A-W])",
    "IT": r"\d{11}",
    "LT": r"(\d{9}|\d{12})",
    "LU": r"\d{8}",
    "LV": r"\d{11}",
    "MT": r"\d{8}",
    "NL": r"[A-Z0-9+*]{9}B[A-Z0-9+*]{2}",
    "NO": r"\d{9}(MVA)?",
    "PL": r"\d{10}",
    "PT": r"\d{9}",
    "RO": r"\d{2,10}",
    "SE": r"\d{10}01",
    "SI": r"\d{8}",
    "SK": r"\d{10}",
    "XI": r"(\d{9}|\d{12}|GD[0-4]\d{2}|HA[5-9]\d{2})",
}
_SEPARATORS: Final = re.compile(r"[\s.\-/]")
_VAT_LENGTH_MAX: Final = 30

_CREDIT_CODE: Final = re.compile(r"[0-9A-HJ-NP-RTUWXY]{2}\d{6}[0-9A-HJ-NP-RTUWXY]{10}")
# GB 32100-2015: digits and letters without I, O, S, V and Z, which look like others.
_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_BASE: Final = 3
_CREDIT_MODULUS: Final = 31

_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_IBAN_MODULUS: Final = 97


def checked_vat_id(field: str, value: str) -> str:
    """Return a VAT identifier in capitals and without separators, such as `DE123456789`.

    Raises:
        InvalidInputError: the country is not one whose form is known, or the form is another.
    """
    text = _SEPARATORS.sub("", value[: 2 * _VAT_LENGTH_MAX]).upper()
    pattern = _VAT_PATTERNS.get(text[:2])
    if pattern is None:
        raise InvalidInputError(field, "a VAT identifier with its country, such as DE123456789")
    if re.fullmatch(pattern, text[2:], re.ASCII) is None:
        raise InvalidInputError(field, f"a VAT identifier in the form of {text[:2]}")
    return text


def checked_credit_code(field: str, value: str) -> str:
    """Return a Chinese unified social credit code (18 characters), its check digit verified.

    Raises:
        InvalidInputError: another form, or the check digit of GB 32100-2015 is wrong.
    """
    text = value.strip().upper()
    if _CREDIT_CODE.fullmatch(text) is None:
        raise InvalidInputError(field, "a unified social credit code of 18 characters")
    if credit_check_character(text[:-1]) != text[-1]:
        raise InvalidInputError(field, "a unified social credit code whose check digit is right")
    return text


def credit_check_character(body: str) -> str:
    """Return the eighteenth character for the first seventeen (GB 32100-2015, annex B)."""
    total = sum(
        _CREDIT_ALPHABET.index(char) * pow(_CREDIT_BASE, place, _CREDIT_MODULUS)
        for place, char in enumerate(body)
    )
    return _CREDIT_ALPHABET[-total % _CREDIT_MODULUS]


def checked_iban(field: str, value: str) -> str:
    """Return an IBAN without blanks, its check digits verified (ISO 13616).

    Raises:
        InvalidInputError: another form, or wrong check digits.
    """
    text = value[: 2 * _VAT_LENGTH_MAX].replace(" ", "").upper()
    if _IBAN.fullmatch(text) is None:
        raise InvalidInputError(field, "an IBAN")
    digits = "".join(str(int(char, 36)) for char in text[4:] + text[:4])
    if int(digits) % _IBAN_MODULUS != 1:
        raise InvalidInputError(field, "an IBAN whose check digits are right")
    return text
