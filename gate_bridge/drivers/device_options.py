"""A device's own options: read with their type, and every error names the option."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, cast, runtime_checkable

from gate_bridge.drivers.port import DeviceSettings
from parking.kit.errors import InvalidInputError

# Of a camera that names no confidence: a person may look at the read, nothing opens by it alone.
ASSUMED_CONFIDENCE: Final = 0.8


@runtime_checkable
class ChecksOptions(Protocol):
    """A driver that can say before the first message whether its options make sense."""

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        ...


class DeviceOptions:
    """The options of one device.

    Args:
        options: As in the site file.
        where: What stands before an option's name in errors.
    """

    def __init__(self, options: Mapping[str, object], where: str = "options") -> None:
        self._options = options
        self._where = where

    def only(self, *names: str) -> None:
        """Refuse options that nobody reads: most are a slip of the pen.

        Raises:
            InvalidInputError: naming the first.
        """
        for name in self._options:
            if name not in names:
                raise InvalidInputError(self._path(name), f"one of {', '.join(sorted(names))}")

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        value = self._options.get(name, default)
        if not isinstance(value, str):
            raise InvalidInputError(self._path(name), "text")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of `choices`."""
        value = self.text(name, default)
        if value not in choices:
            raise InvalidInputError(self._path(name), f"one of {', '.join(choices)}")
        return value

    def number(self, name: str, low: float, high: float) -> float | None:
        """Return a number from `low` to `high`; None where the option is not given."""
        value = self._options.get(name)
        if value is None:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise InvalidInputError(self._path(name), f"a number from {low:g} to {high:g}")
        return float(value)

    def assumed_confidence(self) -> float:
        """Return the confidence of a read whose camera names none."""
        stated = self.number("assumed_confidence", 0, 1)
        return ASSUMED_CONFIDENCE if stated is None else stated

    def integer(self, name: str, low: int, high: int, default: int) -> int:
        """Return a whole number from `low` to `high`."""
        value = self._options.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidInputError(self._path(name), f"a whole number from {low} to {high}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return whether something is wanted."""
        value = self._options.get(name, default)
        if not isinstance(value, bool):
            raise InvalidInputError(self._path(name), "true or false")
        return value

    def texts(self, name: str, count_max: int) -> tuple[str, ...]:
        """Return a list of texts; a single text counts as one."""
        value = self._options.get(name, ())
        if isinstance(value, str):
            return (value,)
        items = tuple(cast("Sequence[object]", value)) if isinstance(value, list | tuple) else None
        if items is None or len(items) > count_max or not all(isinstance(i, str) for i in items):
            raise InvalidInputError(self._path(name), f"at most {count_max} texts")
        return cast("tuple[str, ...]", items)

    def table(self, name: str, count_max: int) -> Mapping[str, object]:
        """Return a table with at most `count_max` keys."""
        value = self._options.get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or len(cast("Mapping[str, object]", value)) > count_max:
            raise InvalidInputError(self._path(name), f"a table of at most {count_max} keys")
        return cast("Mapping[str, object]", value)

    def _path(self, name: str) -> str:
        return f"{self._where}.{name}"
