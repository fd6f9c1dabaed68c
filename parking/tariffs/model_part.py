"""What every part of a tariff's data has in common: strict fields, and errors that name a path."""

from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from parking.kit.errors import InvalidInputError

_PATH_STEP_CHARACTERS_MAX: Final = 100
_FIELDS_MAX: Final = 64
_PLAIN_EXPECTATIONS: Final = {
    "missing": "a value",
    "extra_forbidden": "no field of this name",
    "timezone_aware": "a time with a UTC offset",
    "model_type": "an object",
    "dict_type": "an object",
    "tuple_type": "a list",
    "string_unicode": "text that can be written as UTF-8",
    "too_long": "at most {max_length} items",
    "too_short": "at least {min_length} item",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character",
}
_PREFIXES: Final = ("Value error, ", "Input should be ", "String should ")


class Part(BaseModel):
    """A part of a tariff's data: strict, immutable, without unknown fields."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _require_fields(cls, data: object) -> object:
        # Without this a million unknown fields would be a million errors to collect.
        names = cast("dict[object, object]", data) if isinstance(data, dict) else {}
        if len(names) > _FIELDS_MAX:
            raise ValueError(f"at most {_FIELDS_MAX} fields")
        if not all(isinstance(name, str) and _is_text(name) for name in names):
            raise ValueError("field names that are text")
        return cast("object", data)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


PartT = TypeVar("PartT", bound=Part)


def items(*, most: int, least: int = 0) -> Any:  # noqa: ANN401 - metadata of a field of any type
    """Return what a field that holds many parts needs: a list of so many at most.

    JSON has lists where the model has tuples: only the container is lenient, never its items.
    The first wrong one ends the reading, so that a huge list of them is no work.
    """
    return Field(strict=False, fail_fast=True, min_length=least or None, max_length=most)


def misfit(expected: str, *path: str | int) -> ValidationError:
    """Return the error that `expected` does not hold for the field at `path` of the part."""
    cause = ValueError(expected)
    return ValidationError.from_exception_data(
        "misfit", [{"type": "value_error", "loc": path, "input": None, "ctx": {"error": cause}}]
    )


def path_step(name: object) -> str:
    """Return a name or number of a path in a few characters that stay on one line."""
    shown = str(name)[:_PATH_STEP_CHARACTERS_MAX]
    return "".join(character if character.isprintable() else "?" for character in shown)


def validated(model: type[PartT], data: object, name: str) -> PartT:
    """Return the part that the JSON value `data` describes.

    Raises:
        InvalidInputError: names the path of the first field that does not fit, from `name` on.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        steps = (path_step(step) for step in (name, *first["loc"]))
        expected = _PLAIN_EXPECTATIONS.get(first["type"], first["msg"])
        if first["type"] in _PLAIN_EXPECTATIONS:
            expected = expected.format_map(first.get("ctx", {}))
        for prefix in _PREFIXES:
            expected = expected.removeprefix(prefix)
        raise InvalidInputError(".".join(steps), expected) from error
