"""Objects whose fields are worked out when they are read: a document asks for a few of many."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar, cast

Kind = TypeVar("Kind")


def told_later(
    kind: type[Kind], told: Mapping[str, str | Callable[[Any], object]]
) -> Callable[[object], Kind]:
    """Return what makes an object of a type from what is told of.

    Args:
        kind: A type of the schema.
        told: How its fields follow from that, by name: by an attribute's path or by a function. A
            field that is not named is an attribute of the same name.
    """
    # A field with a resolver is a method: it stays one.
    names = {each.name: each.name for each in fields(cast("Any", kind)) if each.init}
    how = {name: _read(tell) for name, tell in (names | dict(told)).items()}

    def keep(self: Any, source: object) -> None:  # noqa: ANN401 - of a class that is made here
        self.source = source

    made = type(f"{kind.__name__}ToldLater", (kind,), {"__init__": keep, **how})
    return cast("Callable[[object], Kind]", made)


def _read(tell: str | Callable[[Any], object]) -> property:
    if isinstance(tell, str):
        return property(attrgetter(f"source.{tell}"))
    return property(lambda self: tell(self.source))
