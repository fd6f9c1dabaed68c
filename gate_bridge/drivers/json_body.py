"""JSON as devices send it: read with a limit, and every error names the part."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, cast

import orjson

from gate_bridge.drivers.plate_text import scaled_confidence
from parking.kit.errors import InvalidInputError

DEPTH_MAX: Final = 32
ITEMS_MAX: Final = 64
# Some firmwares put these before the first brace.
_LEADING_NOISE: Final = b"\x00\xef\xbb\xbf \t\r\n"


@dataclass(frozen=True, slots=True)
class JsonPart:
    """A value inside a body, with the path that an error names.

    Attributes:
        value: As decoded; None also where there is nothing.
        path: Dotted, such as `AlarmInfoPlate.result`; empty for the whole body.
    """

    value: object = field(repr=False)
    path: str = ""

    def __contains__(self, name: str) -> bool:
        value = self.value
        return isinstance(value, dict) and name in cast("dict[str, object]", value)

    def at(self, *names: str) -> "JsonPart":
        """Return the part below; one that holds None where any step is missing."""
        value, path = self.value, self.path
        for name in names:
            value = cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None
            path = f"{path}.{name}" if path else name
        return JsonPart(value, path)

    def object(self) -> "JsonPart":
        """Return this part.

        Raises:
            InvalidInputError: it is no object.
        """
        if not isinstance(self.value, dict):
            raise self.error("an object")
        return self

    def items(self) -> Iterator["JsonPart"]:
        """Return the parts of a list, the first `ITEMS_MAX` at most; none where it is missing.

        Raises:
            InvalidInputError: it is something else than a list.
        """
        value = self.value
        if value is None:
            return iter(())
        if not isinstance(value, list):
            raise self.error("a list")
        values = cast("list[object]", value)[:ITEMS_MAX]
        return (JsonPart(item, f"{self.path}[{at}]") for at, item in enumerate(values))

    def text(self) -> str | None:
        """Return a text, or a number as it is written; None where it is missing.

        Raises:
            InvalidInputError: it is something else.
        """
        if self.value is None or isinstance(self.value, str):
            return self.value
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        raise self.error("text")

    def number(self) -> float | None:
        """Return a number, also one that came as text; None where it is missing or empty.

        Raises:
            InvalidInputError: it is something else.
        """
        value = self.value
        if value is None or value == "":
            return None
        if isinstance(value, str):
            return self._written_number(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error("a number")
        return float(value)

    def integer(self) -> int | None:
        """Return a whole number; None where it is missing or empty.

        Raises:
            InvalidInputError: it is something else.
        """
        number = self.number()
        if number is None:
            return None
        if not number.is_integer():
            raise self.error("a whole number")
        return int(number)

    def scaled(self, full: float) -> float | None:
        """Return a confidence of 0 to 1 from a scale of 0 to `full`; None where there is none.

        Raises:
            InvalidInputError: it is no number of this scale.
        """
        number = self.number()
        return None if number is None else scaled_confidence(number, full, self.path)

    def names(self) -> tuple[str, ...]:
        """Return an object's names, the first `ITEMS_MAX` at most; none of anything else."""
        value = self.value
        if not isinstance(value, dict):
            return ()
        return tuple(cast("dict[str, object]", value))[:ITEMS_MAX]

    def flag(self) -> bool:
        """Return a yes: `true`, 1, or either as text; anything else is a no."""
        if isinstance(self.value, str):
            return self.value.strip().lower() in {"1", "true", "yes"}
        return self.value is True or (isinstance(self.value, int) and self.value == 1)

    def error(self, expected: str) -> InvalidInputError:
        """Return the error that names this part."""
        return InvalidInputError(self.path or "body", expected)

    def _written_number(self, written: str) -> float:
        try:
            number = float(written.strip())
        except ValueError:
            raise self.error("a number") from None
        # `nan` and `inf` are read by `float`, and compare with nothing.
        if number - number != 0:
            raise self.error("a number")
        return number


def decode_json(body: bytes, name: str = "body") -> JsonPart:
    """Return the object that the body holds.

    UTF-8 as JSON has it; where that fails, GB18030, which Chinese firmwares send.

    Raises:
        InvalidInputError: it is no JSON object, or is nested deeper than `DEPTH_MAX`.
    """
    trimmed = body.lstrip(_LEADING_NOISE).rstrip(b"\x00 \t\r\n")
    try:
        value: object = orjson.loads(_utf8(trimmed, name))
    except orjson.JSONDecodeError:
        raise InvalidInputError(name, "JSON") from None
    if _is_deeper(value, DEPTH_MAX):
        raise InvalidInputError(name, f"at most {DEPTH_MAX} levels")
    if not isinstance(value, dict):
        raise InvalidInputError(name, "a JSON object")
    return JsonPart(cast("object", value))


def _utf8(body: bytes, name: str) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError:
        try:
            return body.decode("gb18030").encode()
        except UnicodeDecodeError:
            raise InvalidInputError(name, "UTF-8 or GB18030") from None
    return body


def _is_deeper(value: object, levels: int) -> bool:
    layer: list[object] = [value]
    for _ in range(levels + 1):
        layer = [below for item in layer for below in _below(item)]
        if not layer:
            return False
    return True


def _below(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(cast("dict[str, object]", value).values())
    if isinstance(value, list):
        return cast("list[object]", value)
    return []
