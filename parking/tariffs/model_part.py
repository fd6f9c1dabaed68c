"""What every part of a tariff's data has in common: strict fields, and errors that name a path."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from parking.kit.errors import InvalidInputError

_PATH_STEP_CHARACTERS_MAX = 100
_PLAIN_EXPECTATIONS = {
    "missing": "a value",
    "extra_forbidden": "no field of this name",
    "timezone_aware": "a time with a UTC offset",
}
_PREFIXES = ("Value error, ", "Input should be ", "String should ", "Tuple should ")


class Part(BaseModel):
    """A part of a tariff's data: strict, immutable, without unknown fields."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )


PartT = TypeVar("PartT", bound=Part)


def misfit(expected: str, *path: str | int) -> ValidationError:
    """Return the error that `expected` does not hold for the field at `path` of the part."""
    # The text goes into a template of its own: braces in it are no placeholders.
    cause = PydanticCustomError("misfit", "{expected}", {"expected": expected})
    return ValidationError.from_exception_data(
        "misfit", [InitErrorDetails(type=cause, loc=path, input=None)]
    )


def validated(model: type[PartT], data: object, name: str) -> PartT:
    """Return the part that the JSON value `data` describes.

    Raises:
        InvalidInputError: names the path of the first field that does not fit, from `name` on.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        steps = (str(step)[:_PATH_STEP_CHARACTERS_MAX] for step in (name, *first["loc"]))
        expected = _PLAIN_EXPECTATIONS.get(first["type"], first["msg"])
        for prefix in _PREFIXES:
            expected = expected.removeprefix(prefix)
        raise InvalidInputError(".".join(steps), expected) from error
