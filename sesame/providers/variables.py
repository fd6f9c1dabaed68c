"""What the variables of every payment provider have in common: given whole, or named."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from parking.kit.errors import InvalidInputError

_Value = TypeVar("_Value", str, Path)


def required(variable: str, value: _Value | None) -> _Value:
    """Return a value without which its provider cannot be set up.

    Raises:
        InvalidInputError: it is not set.
    """
    if not value:
        expected = "a value in the environment: all that the provider needs, or none"
        raise InvalidInputError(variable, expected)
    return value


def content(variable: str, path: Path | None) -> str:
    """Return what is in a required file, without the white space around it.

    Raises:
        InvalidInputError: there is no such file, or nothing in it.
    """
    try:
        text = required(variable, path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(variable, "a readable file in ASCII") from error
    if not text:
        raise InvalidInputError(variable, "a file that is not empty")
    return text


@contextmanager
def named(variables: Mapping[str, str]) -> Generator[None]:
    """Name the variable that is to blame, where the adapter refuses one of its fields."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError(variables.get(error.field, error.field), error.expected) from error
