"""What all parts of a campaign's document share: strict fields, errors that name a path."""

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from parking.kit.errors import InvalidInputError

_STEP_CHARACTERS_MAX: Final = 60
_EXPECTED: Final = {
    "missing": "a value",
    "extra_forbidden": "no field of this name",
    "model_type": "an object",
    "dict_type": "an object",
    "model_attributes_type": "an object",
    "tuple_type": "a list",
    "union_tag_not_found": "a field `kind`",
    "too_long": "at most {max_length} items",
    "too_short": "at least {min_length} item",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character",
    "union_tag_invalid": "`kind` to be one of {expected_tags}",
}
_PREFIXES: Final = ("Value error, ", "Input should be ", "String should ")
Found = TypeVar("Found")


class Part(BaseModel):
    """A part of a document: strict, immutable, without unknown fields, named in camel case."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )


def items(*, least: int = 1, most: int) -> Any:  # noqa: ANN401 - metadata of a field of any type
    """Return what a list of so many needs; JSON has lists where the model has tuples."""
    return Field(strict=False, fail_fast=True, min_length=least, max_length=most)


def validated(
    adapter: TypeAdapter[Found], data: object, name: str, *, tags: frozenset[str] = frozenset()
) -> Found:
    """Return what the JSON value `data` describes.

    Args:
        adapter: Of the wanted form.
        data: As JSON has it.
        name: With which paths begin.
        tags: Of unions: they are no part of the document, and left out of paths.

    Raises:
        InvalidInputError: names the path of the first field that does not fit.
    """
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        *path, last = first["loc"] or ("",)
        # A field that nobody knows may be called as a tag is.
        is_named = first["type"] == "extra_forbidden" or last not in tags
        steps = [name, *(_step(step) for step in path if step not in tags)]
        steps += [_step(last)] if is_named and last != "" else []
        expected = _EXPECTED.get(first["type"], first["msg"])
        if first["type"] in _EXPECTED:
            expected = expected.format_map(first.get("ctx", {}))
        for prefix in _PREFIXES:
            expected = expected.removeprefix(prefix)
        raise InvalidInputError(".".join(steps), expected) from error


def _step(name: object) -> str:
    shown = str(name)[:_STEP_CHARACTERS_MAX]
    return "".join(character if character.isprintable() else "?" for character in shown)
