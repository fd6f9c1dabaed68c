"""One table of an installer's file: every key is read once, with its type, or named as wrong."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, cast
from uuid import UUID

from parking.kit.errors import InvalidInputError

SECRET_BYTES_MAX: Final = 4096
TEXT_CHARACTERS_MAX: Final = 1024
OPTIONS_MAX: Final = 64
KEYS_NAMED_MAX: Final = 8


class Table:
    """A table with its name, for the errors.

    Args:
        values: As TOML has them.
        name: Such as `lane[2].barrier`; empty for the file itself.
        folder: What paths in it are relative to.
    """

    def __init__(self, values: Mapping[str, object], name: str, folder: Path) -> None:
        self._values = values
        self._name = name
        self._folder = folder
        self._read: set[str] = set()

    def where(self, key: str) -> str:
        """Return how errors name a key."""
        return f"{self._name}.{key}" if self._name else key

    def wrong(self, key: str, expected: str) -> InvalidInputError:
        """Return the error about a key."""
        return InvalidInputError(self.where(key), expected)

    def end(self) -> None:
        """Refuse keys that nobody has read: most are a slip of the pen.

        Raises:
            InvalidInputError: naming the first, and what there is.
        """
        for key in self._values:
            if key not in self._read:
                raise self.wrong(key, f"one of {', '.join(sorted(self._read))}")

    def has(self, key: str) -> bool:
        """Return whether the file says something of a key."""
        return key in self._values

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text; without a default it has to be there."""
        value = self._take(key, default)
        if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
            raise self.wrong(key, f"text of at most {TEXT_CHARACTERS_MAX} characters")
        if default is None and not value.strip():
            raise self.wrong(key, "text")
        return value

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """Return one of `choices`."""
        value = self.text(key, default)
        if value not in choices:
            raise self.wrong(key, f"one of {', '.join(choices)}")
        return value

    def identifier(self, key: str) -> UUID:
        """Return a UUID."""
        try:
            return UUID(self.text(key))
        except ValueError:
            raise self.wrong(key, "a UUID") from None

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def integer(self, key: str, low: int, high: int, default: int) -> int:
        """Return a whole number from `low` to `high`."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(key, f"a whole number from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float, default: float) -> float:
        """Return a number from `low` to `high`."""
        value = self._take(key, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise self.wrong(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def texts(self, key: str, count_max: int) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._take(key, [])
        items = cast("list[object]", value) if isinstance(value, list) else None
        if items is None or len(items) > count_max or not all(isinstance(i, str) for i in items):
            raise self.wrong(key, f"a list of at most {count_max} texts")
        return tuple(cast("list[str]", items))

    def path(self, key: str) -> Path | None:
        """Return the path of a file, from the file's own folder; None where the key is missing."""
        return self._folder / self.text(key) if key in self._values else self._missing(key)

    def existing(self, key: str) -> Path | None:
        """Return the path of a file that is there; None where the key is missing."""
        path = self.path(key)
        if path is not None and not path.is_file():
            raise self.wrong(key, f"a file that can be read, not {path.name}")
        return path

    def secret(self, key: str) -> str:
        """Return what stands in the file of `<key>_file`, or in `<key>_environment`'s variable.

        Empty where neither is given. The text itself never stands in an installer's file.
        """
        file_key, variable_key = f"{key}_file", f"{key}_environment"
        if key in self._values:
            raise self.wrong(key, f"{file_key} or {variable_key}: secrets do not belong here")
        path = self.existing(file_key)
        if variable_key not in self._values:
            self._missing(variable_key)
            return "" if path is None else self._secret_in(path, file_key)
        if path is not None:
            raise self.wrong(variable_key, f"only one of {file_key} and {variable_key}")
        value = os.environ.get(self.text(variable_key), "")
        if not value:
            raise self.wrong(variable_key, "the name of a variable that is set")
        return value

    def table(self, key: str) -> "Table | None":
        """Return a table within; None where there is none."""
        if key not in self._values:
            return self._missing(key)
        value = self._take(key, None)
        if not isinstance(value, Mapping):
            raise self.wrong(key, "a table")
        return Table(cast("Mapping[str, object]", value), self.where(key), self._folder)

    def tables(self, key: str, count_max: int) -> Iterator["Table"]:
        """Return the tables of `[[key]]`, each named by its number, from 1."""
        value = self._take(key, [])
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        if not all(isinstance(item, Mapping) for item in items):
            raise self.wrong(key, f"tables, each under [[{key}]]")
        if len(items) > count_max:
            raise self.wrong(key, f"at most {count_max} of [[{key}]]")
        for index, item in enumerate(items, start=1):
            name = f"{self.where(key)}[{index}]"
            yield Table(cast("Mapping[str, object]", item), name, self._folder)

    def options(self, key: str) -> Mapping[str, object]:
        """Return a table as it is, for a driver that knows its keys; empty for none."""
        value = self._take(key, cast("dict[str, object]", {}))
        if not isinstance(value, Mapping):
            raise self.wrong(key, "a table")
        known = cast("Mapping[str, object]", value)
        if len(known) > OPTIONS_MAX:
            raise self.wrong(key, f"at most {OPTIONS_MAX} keys")
        return known

    def _take(self, key: str, default: object) -> object:
        self._read.add(key)
        if key in self._values:
            return self._values[key]
        if default is None:
            raise self.missing(key, "a value: it is missing")
        return default

    def missing(self, key: str, expected: str) -> InvalidInputError:
        """Return the error about a key that is not there, with those that may be meant for it."""
        return self.wrong(key, f"{expected}{self._instead()}")

    def _instead(self) -> str:
        """Return which keys there are that nobody has asked for: one of them may be meant."""
        unread = [key for key in self._values if key not in self._read][:KEYS_NAMED_MAX]
        return f"; there is {', '.join(unread)}" if unread else ""

    def _missing(self, key: str) -> None:
        self._read.add(key)

    def _secret_in(self, path: Path, key: str) -> str:
        with path.open("rb") as file:
            secret = file.read(SECRET_BYTES_MAX + 1)
        text = secret.decode("utf-8", errors="replace").strip()
        if not text or len(secret) > SECRET_BYTES_MAX:
            raise self.wrong(key, f"a file with the secret, at most {SECRET_BYTES_MAX} bytes")
        return text
