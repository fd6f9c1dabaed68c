"""Where in a message a value stands, as an installer writes it.

`event.vehicle.plate` goes down by names, `results[0].plate` takes the first of a list, and a
name with a dot stands in quotes: `'plate.text'`. `$` in front begins at the top of the message.
"""

import re
from dataclasses import dataclass
from typing import Final, cast

from gate_bridge.drivers.json_body import JsonPart
from parking.kit.errors import InvalidInputError

PATH_LENGTH_MAX: Final = 200
STEPS_MAX: Final = 16
_STEP: Final = re.compile(r"'(?P<quoted>[^']+)'|(?P<name>[^.\[\]'$]+)|\[(?P<index>\d{1,3})\]")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """The steps to a value: names, and places in lists.

    Attributes:
        is_absolute: Whether it begins at the top, also within a list of reads.
    """

    steps: tuple[str | int, ...]
    is_absolute: bool = False

    def of(self, top: JsonPart, item: JsonPart) -> JsonPart:
        """Return the value; a part with None where the message has none.

        Args:
            top: The whole message.
            item: Where other paths begin; the whole message where it tells of one car.
        """
        return self._down(top, item, self.steps)

    def leads_somewhere(self, top: JsonPart, item: JsonPart) -> bool:
        """Return whether the message has the place at all, be it empty."""
        if not self.steps:
            return True
        above, last = self._down(top, item, self.steps[:-1]), self.steps[-1]
        return last in above if isinstance(last, str) else _place(above, last).value is not None

    def _down(self, top: JsonPart, item: JsonPart, steps: tuple[str | int, ...]) -> JsonPart:
        part = top if self.is_absolute else item
        for step in steps:
            part = part.at(step) if isinstance(step, str) else _place(part, step)
        return part


def read_path(text: str, option: str) -> FieldPath:
    """Return the path that a text describes.

    Raises:
        InvalidInputError: it is no path; names the option.
    """
    error = InvalidInputError(option, "a path such as event.vehicle.plate or results[0].plate")
    if not text or len(text) > PATH_LENGTH_MAX:
        raise error
    is_absolute = text.startswith("$")
    rest = text[1:].removeprefix(".") if is_absolute else text
    steps: list[str | int] = []
    while rest:
        match = _STEP.match(rest)
        if match is None or len(steps) == STEPS_MAX:
            raise error
        index = match["index"]
        steps.append(match["quoted"] or match["name"] if index is None else int(index))
        rest = rest[match.end() :]
        if rest.startswith(".") and len(rest) > 1 and rest[1] not in ".[":
            rest = rest[1:]
        elif rest and not rest.startswith("["):
            raise error
    if not steps and not is_absolute:
        raise error
    return FieldPath(tuple(steps), is_absolute)


def _place(part: JsonPart, index: int) -> JsonPart:
    value = part.value
    items = cast("list[object]", value) if isinstance(value, list) else []
    found = items[index] if index < len(items) else None
    return JsonPart(found, f"{part.path}[{index}]")
