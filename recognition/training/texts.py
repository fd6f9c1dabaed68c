"""Random registration numbers in the formats of many countries."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from recognition.alphabet import DIGITS, LETTERS, PROVINCES, SUFFIXES
from recognition.training.dice import chance

# Chinese numbers leave out I and O so that nobody takes them for 1 and 0.
CHINESE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
CHINESE_ALPHABET: Final = CHINESE_LETTERS + DIGITS + DIGITS


@dataclass(frozen=True)
class PlateText:
    """What stands on a plate, and the style in which it is painted.

    `breaks` are the positions before which the plate leaves a gap, a dash or a seal.
    """

    characters: str
    style: str
    breaks: tuple[int, ...] = ()


def pick(rng: np.random.Generator, alphabet: str, count: int = 1) -> str:
    """Return `count` random characters of the alphabet."""
    return "".join(alphabet[index] for index in rng.integers(0, len(alphabet), count))


# L letter, D digit, A either, C letter or digit as China uses them, H Chinese letter,
# P province, a space or a dash is a break.
_PATTERNS: Final[dict[str, tuple[str, ...]]] = {
    "cn-blue": ("PH CCCCC", "PH CCCCC", "PH DDDDD", "PH CCCCC"),
    "cn-yellow": ("PH CCCCC", "PH DDDDD"),
    "cn-green": ("PH HCDDDD", "PH HDDDDD", "PH DDDDDH"),
    "eu": (
        "L LL DDDD", "LL LL DDD", "LLL L DDDD", "LL L DDD", "LLL LL DD", "L L DDDD",
        "LL-DDD-LL", "LLDDDLL", "DDDD LLL", "LL-DD-LL", "DD-LLL-D", "L DD LLL", "L DDD LLL",
        "LL DD LLL", "LL DDDDD", "LLL DDDD", "LLL DDD", "DLL DDDD", "DLD DDDD", "D LLL DDD",
        "LL DDDD LL", "L DDDD LL", "DDD LLL", "LLL-DDD", "DDD-LLL", "DD DDDDD", "LL DDDDLL",
        "LLDDDD", "LL DDDDDD", "L DDDDDD", "DDD-L-DDD", "DD LL DDD", "LLLL DDDD",
    ),
    "gb": ("LLDD LLL", "LLDD LLL", "LDDD LLL", "LLL DDDL"),
    "us": (
        "DLLLDDD", "LLL DDDD", "LLL DDD", "LLL-DDDD", "AAA AAA", "DDD LLL", "DDDDDD", "DDDDDDD",
        "LLLDDDD", "AAAAAAA", "AA AAAA", "LDD LLL", "DD LLDD", "LL DDDDD", "D DDDDDD", "AAAAA",
        "DDD DDD", "L DDDDDD",
    ),
    "br": ("LLL DDDD", "LLLDLDD"),
    "ar": ("LLL DDD", "LL DDD LL"),
    "vn": ("DDL-DDD DD", "DDL-DDD DD", "DDL-DDDD", "DDLD DDDDD"),
    # One row of a plate with two rows.
    "row": ("DDL", "DD LD", "DDDD", "DDDDD", "PH", "CCCCC", "LLL", "LL D", "DLL", "LLDD", "LDD"),
    "any": ("AAAA", "AAAAA", "AAAAAA", "AA AAAAA", "AAAA AAA", "AAAA AAAA", "A AAAAAAAA",
            "AAAAAAAAAA"),
}  # fmt: skip
_SHARES: Final[dict[str, float]] = {
    "cn-blue": 0.22, "cn-yellow": 0.05, "cn-green": 0.08, "eu": 0.23, "gb": 0.04, "us": 0.14,
    "br": 0.05, "ar": 0.06, "vn": 0.04, "row": 0.05, "any": 0.04,
}  # fmt: skip
_ALPHABETS: Final[dict[str, str]] = {
    "L": LETTERS,
    "D": DIGITS,
    "A": DIGITS + LETTERS,
    "C": CHINESE_ALPHABET,
    "H": CHINESE_LETTERS,
    "P": PROVINCES,
}
_SUFFIX_SHARE: Final = 0.06


def random_text(rng: np.random.Generator, style: str | None = None) -> PlateText:
    """Return a random number of the style, or of a random style."""
    styles = list(_SHARES)
    chosen = style or styles[int(rng.choice(len(styles), p=list(_SHARES.values())))]
    patterns = _PATTERNS[chosen]
    characters = ""
    breaks: list[int] = []
    for symbol in patterns[int(rng.integers(len(patterns)))]:
        if symbol in " -":
            breaks.append(len(characters))
        else:
            characters += pick(rng, _ALPHABETS[symbol])
    if chosen in {"cn-blue", "cn-yellow"} and chance(rng, _SUFFIX_SHARE):
        characters = characters[:-1] + pick(rng, SUFFIXES)
    return PlateText(characters, chosen, tuple(breaks))
