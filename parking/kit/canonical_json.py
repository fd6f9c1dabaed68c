"""One text for one JSON value, so that it can be hashed and signed: RFC 8785 (JCS).

Members are sorted by their names in UTF-16, numbers are written as ECMAScript writes them, and
nothing is put between tokens. In JavaScript it is `JSON.stringify` over sorted members.
"""

import hashlib
import json
import math
from decimal import Decimal
from typing import Any, Final, cast

from parking.kit.errors import InvalidInputError

DEPTH_MAX: Final = 50
# RFC 8785 keeps to the integers that every reader of JSON holds exactly: I-JSON, RFC 7493.
INTEGER_MAX: Final = 2**53 - 1
_WHOLE_DIGITS_MAX: Final = 21
_ZEROS_MAX: Final = 6


def canonical(value: object) -> bytes:
    """Return the one text of a JSON value, in UTF-8.

    Raises:
        InvalidInputError: it holds what JSON cannot say exactly; the field is the path in it.
    """
    try:
        return _text(value, "value", 0).encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError("value", "text without lone surrogates") from error


def fingerprint(value: object) -> str:
    """Return the SHA-256 of the one text, in hexadecimal; raises as `canonical`."""
    return hashlib.sha256(canonical(value)).hexdigest()


def read_strictly(raw: bytes | str, *, field: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a JSON text says.

    Raises:
        InvalidInputError: it is no JSON, says one member twice, or holds NaN or infinity.
    """
    try:
        return json.loads(raw, object_pairs_hook=_members, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(field, "JSON in UTF-8 that names each member once") from error


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Two readers could take different ones of the two.
        raise ValueError("a member is named twice")
    return members


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def _text(value: object, path: str, depth: int) -> str:
    if depth > DEPTH_MAX:
        raise InvalidInputError(path, f"at most {DEPTH_MAX} levels")
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise InvalidInputError(path, f"an integer of at most {INTEGER_MAX}")
        return str(value)
    if isinstance(value, float):
        return _number(value, path)
    if isinstance(value, list | tuple):
        items = cast("list[object]", value)
        texts = (_text(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(items))
        return f"[{','.join(texts)}]"
    if isinstance(value, dict):
        return _object(cast("dict[object, object]", value), path, depth)
    raise InvalidInputError(path, "a value of JSON")


def _object(value: dict[object, object], path: str, depth: int) -> str:
    members: dict[str, object] = {}
    for name, member in value.items():
        if not isinstance(name, str):
            raise InvalidInputError(path, "members with names that are text")
        members[name] = member
    ordered = sorted(members, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    texts = (
        f"{json.dumps(name, ensure_ascii=False)}:"
        f"{_text(members[name], f'{path}.{name}', depth + 1)}"
        for name in ordered
    )
    return f"{{{','.join(texts)}}}"


def _number(value: float, path: str) -> str:
    """Write a number as ECMAScript does: the shortest digits that read back, RFC 8785 3.2.2.3."""
    if not math.isfinite(value):
        raise InvalidInputError(path, "a finite number")
    # `repr` gives the shortest digits too; only where the point goes differs.
    _, places, power = Decimal(repr(abs(value))).normalize().as_tuple()
    digits, point = "".join(map(str, places)), int(power) + len(places)
    sign = "-" if value < 0 else ""
    if value == 0:
        return "0"
    if 0 < point <= _WHOLE_DIGITS_MAX:
        whole, part = digits[:point].ljust(point, "0"), digits[point:]
        return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"
    if -_ZEROS_MAX < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    mantissa = f"{digits[0]}.{digits[1:]}" if digits[1:] else digits
    return f"{sign}{mantissa}e{point - 1:+d}"
