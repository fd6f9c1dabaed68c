"""What the schemas say of themselves where the code beside a field does not.

The words stand in api/words: for one type, and for a field's name wherever it means the same. What
follows from the form of the schema (inputs, pages, unions) is worded here.
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
)

from api.config import PAGE_SIZE_MAX

WORDS: Final = Path(__file__).parent / "words"
_ITSELF: Final = "_"
_FIELDS: Final = "fields"
_UNKNOWN: Final = "unknown"
_RESULT: Final = "Result"
_ARGUMENTS: Final = {
    "input": "What it is about.",
    "first": f"How many at most; up to {PAGE_SIZE_MAX}.",
    "after": "The `endCursor` of the page before; null for the first page.",
}
_PAGE_FIELDS: Final = {
    "edges": "What is on the page, each with its cursor.",
    "nodes": "What is on the page.",
    "pageInfo": "Where the page stands in the list.",
    "node": "The item itself.",
    "cursor": "Give it as `after` to go on behind this item.",
}


def described(schema: strawberry.Schema) -> strawberry.Schema:
    """Return the schema with words for whatever has none yet."""
    types: GraphQLSchema = vars(schema)["_schema"]
    for kind in types.type_map.values():
        _describe(kind)
    return schema


@cache
def read_words() -> dict[str, dict[str, str]]:
    """Return what the files say, by type and field."""
    words: dict[str, dict[str, str]] = {}
    for path in sorted(WORDS.glob("*.toml")):
        for name, said in tomllib.loads(path.read_text(encoding="utf-8")).items():
            words.setdefault(name, {}).update(said)
    return words


def _describe(kind: GraphQLNamedType) -> None:
    if kind.name.startswith("__"):
        return
    said = read_words().get(kind.name, {})
    kind.description = kind.description or said.get(_ITSELF) or _of_form(kind)
    if isinstance(kind, GraphQLEnumType):
        kind.description = _of_growing(kind)
        for name, value in kind.values.items():
            value.description = value.description or said.get(name) or _of_value(name, kind)
    elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in kind.fields.items():
            field.description = field.description or _of_field(name, said)
            for given, argument in field.args.items():
                argument.description = (
                    argument.description or said.get(f"{name}({given})") or _ARGUMENTS.get(given)
                )
    elif isinstance(kind, GraphQLInputObjectType):
        for name, value in kind.fields.items():
            value.description = value.description or _of_field(name, said)


def _of_value(name: str, kind: GraphQLEnumType) -> str | None:
    """Return what the enum's own words say of a value, after its name and a colon."""
    told = re.search(rf"\b{name}: ([^.]+\.)", kind.description or "")
    return None if told is None else told[1][0].upper() + told[1][1:]


def _of_growing(kind: GraphQLEnumType) -> str | None:
    treatment = read_words()[_UNKNOWN].get(kind.name)
    if kind.description is None or treatment is None or treatment in kind.description:
        return kind.description
    return f"{kind.description} More values may come: {treatment}."


def _of_field(name: str, said: dict[str, str]) -> str | None:
    return said.get(name) or _PAGE_FIELDS.get(name) or read_words()[_FIELDS].get(name)


def _of_form(kind: GraphQLNamedType) -> str | None:
    if isinstance(kind, GraphQLUnionType) and kind.name.endswith(_RESULT):
        act = kind.name.removesuffix(_RESULT)
        return (
            f"What `{act[0].lower()}{act[1:]}` may answer. Members may be added: select "
            "`... on Refusal { code message }` and take what you do not know as refused."
        )
    if isinstance(kind, GraphQLInputObjectType):
        # The library's class; its first line is written for whoever reads the schema, too.
        definition: Any = kind.extensions["strawberry-definition"]
        return (definition.origin.__doc__ or "").strip().partition("\n")[0] or None
    return None
