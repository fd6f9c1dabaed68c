"""Known formats of registration numbers: a guess of the region, and a weight for the reader.

A format is a weight, never a filter: new series and unknown countries must still be read.
"""

import re
from typing import Final

from recognition.alphabet import PROVINCES, SUFFIXES

_CHINESE: Final = "[A-HJ-NP-Z0-9]"
# The first that fits names the region; formats that several countries share are called "eu".
_FORMATS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (region, re.compile(pattern))
    for region, pattern in (
        ("cn", rf"[{PROVINCES}][A-HJ-NP-Z]{_CHINESE}{{4}}[A-HJ-NP-Z0-9{SUFFIXES}]"),
        ("cn", rf"[{PROVINCES}][A-HJ-NP-Z](?:[A-HJ-NP-Z]{_CHINESE}\d{{4}}|\d{{5}}[A-HJ-NP-Z])"),
        ("gb", r"[A-Z]{2}\d{2}[A-Z]{3}"),
        ("br", r"[A-Z]{3}\d[A-Z]\d{2}"),
        ("es", r"\d{4}[BCDFGHJ-NPR-TV-Z]{3}"),
        ("ro", r"B\d{2,3}[A-Z]{3}|[A-Z]{2}\d{2}[A-Z]{3}"),
        ("nl", r"[A-Z]{2}\d{3}[A-Z]|\d{2}[A-Z]{3}\d|[A-Z]\d{3}[A-Z]{2}"),
        ("eu", r"[A-Z]{2}\d{3}[A-Z]{2}"),
        ("de", r"[A-Z]{1,3}[A-Z]{1,2}\d{1,4}[EH]?"),
        ("eu", r"[A-Z]{2}\d{5}|\d[A-Z]{2}\d{4}|\d[A-Z]\d{5}"),
        ("us", r"\d[A-Z]{3}\d{3}|[A-Z]{3}\d{4}"),
    )
)
# A text in no known format must be this many times likelier to win.
_UNKNOWN_WEIGHT: Final = 0.4
# Only China writes these characters, and its formats are all known.
_UNKNOWN_CHINESE_WEIGHT: Final = 0.1
_CHINESE_CHARACTERS: Final = frozenset(PROVINCES + SUFFIXES)


def guess_region(text: str) -> str | None:
    """Return a region whose format the text has."""
    return next((region for region, pattern in _FORMATS if pattern.fullmatch(text)), None)


def format_weight(text: str) -> float:
    """Return how much more to believe a text because of its format."""
    if guess_region(text) is not None:
        return 1.0
    return _UNKNOWN_WEIGHT if _CHINESE_CHARACTERS.isdisjoint(text) else _UNKNOWN_CHINESE_WEIGHT
