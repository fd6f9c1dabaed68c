"""What cameras write where a plate belongs, in one spelling."""

from collections.abc import Iterable
from typing import Final

from parking.kit.errors import InvalidInputError
from parking.plates.normalise import INPUT_LENGTH_MAX, TEXT_LENGTH_MIN, fold_plate
from parking.plates.reads import ALTERNATIVES_MAX, TEXT_LENGTH_MAX

# What makers write for "a car, but no plate that I could read", as it stands after folding.
_NO_PLATE: Final = frozenset(
    {
        "UNKNOWN",
        "UNKNOW",
        "UNRECOGNIZED",
        "UNRECOGNISED",
        "UNLICENSED",
        "NOPLATE",
        "NOTDEFINED",
        "NULL",
        "NONE",
        "无",
        "无牌",
        "无牌车",
        "无车牌",
        "未识别",
        "未知",
    }
)
# A Chinese camera may put the plate's colour first: blue, yellow, green, white, black.
_COLOURS: Final = frozenset("蓝黄绿白黑")
_IDEOGRAPHS: Final = range(0x4E00, 0xA000)
# Two bytes of GB18030 that are a letter in UTF-8 as well, so that no decoder notices: such a
# letter stands on no plate, the ideograph does. Shandong (鲁) would come out as a 3.
_TAKEN_FOR_UTF8: Final = str.maketrans("³ԥʹѧӦ", "鲁豫使学应")


def plate_text(written: str | None) -> str | None:
    """Return the plate in the one spelling; None where the camera read none.

    A text that no plate can have, such as one with `?` for a letter, is none either: the car is
    there, and its plate is not known.
    """
    if written is None or len(written) > INPUT_LENGTH_MAX:
        return None
    folded = fold_plate(written.translate(_TAKEN_FOR_UTF8))
    # Two ideographs never begin a plate; with 黑 first, the second tells colour from province.
    if len(folded) > 1 and folded[0] in _COLOURS and ord(folded[1]) in _IDEOGRAPHS:
        folded = folded[1:]
    if not TEXT_LENGTH_MIN <= len(folded) <= TEXT_LENGTH_MAX or folded in _NO_PLATE:
        return None
    return folded if folded.isalnum() else None


def alternative_texts(
    candidates: Iterable[tuple[str | None, float]], plate: str | None
) -> tuple[tuple[str, float], ...]:
    """Return the other texts in the one spelling, each once, best first.

    Args:
        candidates: As written, each with its probability of 0 to 1.
        plate: The read itself, which is no alternative to itself.
    """
    best: dict[str, float] = {}
    for written, probability in candidates:
        text = plate_text(written)
        if text is not None and text != plate:
            best[text] = max(probability, best.get(text, 0.0))
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ranked[:ALTERNATIVES_MAX])


def scaled_confidence(value: float, full: float, field: str) -> float:
    """Return a confidence of 0 to 1 from a maker's scale of 0 to `full`.

    Raises:
        InvalidInputError: it lies outside of the scale, so it is not this scale: whatever we made
            of it would be a guess.
    """
    if not 0 <= value <= full:
        raise InvalidInputError(field, f"a number from 0 to {full:g}")
    return value / full
