"""What changed in a schema since its last release, and whether a client would notice."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import Any, Final

# Half of its types are unknown to a type checker.
graphql: Any = import_module("graphql")

# The house's form of a deprecation: docs/schema/README.md.
_GONE_AFTER: Final = re.compile(r"Gone after (\d{4}-\d{2}-\d{2})\.")


@dataclass(frozen=True, slots=True)
class SchemaChanges:
    """What a release would bring.

    Attributes:
        breaking: What makes a client fail that worked; one sentence each.
        dangerous: What a client may notice, such as a new value of an enum.
        added: New types and fields, by name.
        removed: What was deprecated, and its time is over: its removal breaks nobody who read on.
    """

    breaking: list[str]
    dangerous: list[str]
    added: list[str]
    removed: list[str]


def compare(released: str, current: str, *, today: date) -> SchemaChanges:
    """Return what changed between two schemas in GraphQL's schema language."""
    old, new = graphql.build_schema(released), graphql.build_schema(current)
    over = set(_over(old, today))
    broken: list[str] = [each.description for each in graphql.find_breaking_changes(old, new)]
    return SchemaChanges(
        breaking=sorted(each for each in broken if each not in over),
        dangerous=sorted(each.description for each in graphql.find_dangerous_changes(old, new)),
        added=sorted(set(_names(new)) - set(_names(old))),
        removed=sorted(each for each in broken if each in over),
    )


def _over(schema: Any, today: date) -> Iterator[str]:  # noqa: ANN401 - a schema of the library
    """Yield how the removal of each thing would be told whose announced time is over."""
    for kind in _types(schema):
        for name, member in getattr(kind, "fields", getattr(kind, "values", {})).items():
            said = _GONE_AFTER.search(member.deprecation_reason or "")
            if said is None or date.fromisoformat(said[1]) >= today:
                continue
            what = "Enum value" if hasattr(kind, "values") else "Field"
            yield f"{what} {kind.name}.{name} was removed."


def _names(schema: Any) -> Iterator[str]:  # noqa: ANN401 - a schema of the library
    for kind in _types(schema):
        yield kind.name
        for name, member in getattr(kind, "fields", {}).items():
            yield f"{kind.name}.{name}"
            yield from (f"{kind.name}.{name}({given})" for given in getattr(member, "args", {}))
        yield from (f"{kind.name}.{name}" for name in getattr(kind, "values", {}))


def _types(schema: Any) -> list[Any]:  # noqa: ANN401 - a schema of the library
    return [kind for name, kind in schema.type_map.items() if not name.startswith("__")]
