"""How values become JSON, decided once for a plan: at once, or where something waits."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

import graphql
from strawberry.execution import optimized_is_awaitable

from api.request import RequestContext

# Its annotations are too loose for strict typing.
_core: Final = cast("Any", graphql)
CoreType: TypeAlias = Any
# Whatever a resolver gives, and what it is in JSON.
Value: TypeAlias = Any
# What needs no look into it to be JSON.
_PLAIN: Final = {"String": str, "ID": str, "Boolean": bool}
_TIME: Final = "DateTime"
_INT_MIN: Final = -(2**31)
_INT_MAX: Final = 2**31 - 1


class UnwellError(Exception):
    """Something came that is an error in GraphQL: graphql-core is to say which."""


# From a value to JSON; or, where something below waits, to what can be awaited for it.
Complete = Callable[[Value, RequestContext], Value]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object: `read` where it is an attribute, else `resolve`."""

    key: str
    complete: Complete
    waits: bool
    read: Callable[[Any], Any] | None = None
    resolve: Callable[[Value, RequestContext], Value] | None = None


def told(key: str, complete: Complete, *, waits: bool) -> Complete:
    """Return how a value is told as an object of its own that has one key."""

    async def tell_later(value: Value, context: RequestContext) -> Value:
        return {key: await complete(value, context)}

    def tell(value: Value, context: RequestContext) -> Value:
        return {key: complete(value, context)}

    return tell_later if waits else tell


def leaf(kind: CoreType) -> Complete:
    """Return how a value is told that is there: None is as bad as what cannot be told."""
    coerce, plain = kind.coerce_output_value, _PLAIN.get(kind.name)

    def complete(value: Value, _: RequestContext) -> Value:
        if value.__class__ is plain:
            return value
        found = None if value is None else coerce(value)
        if found is None or found is _core.Undefined:
            raise UnwellError
        return found

    def complete_int(value: Value, context: RequestContext) -> Value:
        is_small = value.__class__ is int and _INT_MIN <= value <= _INT_MAX
        return value if is_small else complete(value, context)

    def complete_time(value: Value, context: RequestContext) -> Value:
        # What writes the answer writes the same, and sooner.
        is_utc = value.__class__ is datetime and value.tzinfo is UTC
        return value if is_utc else complete(value, context)

    return {"Int": complete_int, _TIME: complete_time}.get(kind.name, complete)


def plain_object(fields: Sequence[Field]) -> Complete:
    """Return how an object is told all of whose fields are attributes."""
    steps = [(field.key, field.read, field.complete) for field in fields if field.read is not None]

    def complete(value: Value, context: RequestContext) -> dict[str, Any]:
        return {key: done(read(value), context) for key, read, done in steps}

    return complete


def waiting_object(fields: Sequence[Field]) -> Complete:
    """Return how an object is told some of whose fields wait: all of those at the same time."""
    keys = [field.key for field in fields]
    at_once = [field for field in fields if field.read is not None and not field.waits]
    later = [field for field in fields if field.read is None or field.waits]

    async def complete(value: Value, context: RequestContext) -> dict[str, Any]:
        # The keys come in the order in which they are asked for.
        data: dict[str, Any] = dict.fromkeys(keys)
        for field in at_once:
            if field.read is not None:
                data[field.key] = field.complete(field.read(value), context)
        if len(later) == 1:
            data[later[0].key] = await _later(later[0], value, context)
            return data
        found = await _all([_later(field, value, context) for field in later])
        for field, each in zip(later, found, strict=True):
            data[field.key] = each
        return data

    return complete


async def _later(field: Field, source: Value, context: RequestContext) -> Value:
    if field.read is not None:
        value = field.read(source)
    else:
        value = field.resolve(source, context) if field.resolve is not None else None
        if optimized_is_awaitable(value):
            value = await cast("Awaitable[Any]", value)
    completed = field.complete(value, context)
    return await completed if field.waits else completed


async def _all(waiting: Sequence[Awaitable[Any]]) -> Sequence[Any]:
    if len(waiting) == 1:
        return [await waiting[0]]
    # All of them end before the first failure is told: none may go on beside what comes next.
    found = await asyncio.gather(*waiting, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return found


def plain_list(complete: Complete) -> Complete:
    """Return how a list is told."""

    def complete_all(value: Value, context: RequestContext) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise UnwellError
        return [complete(each, context) for each in cast("Sequence[Any]", value)]

    return complete_all


def waiting_list(complete: Complete) -> Complete:
    """Return how a list is told whose items wait; none of them may be None."""

    async def complete_all(value: Value, context: RequestContext) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise UnwellError
        items = cast("Sequence[Any]", value)
        if any(each is None for each in items):
            raise UnwellError
        return list(await _all([complete(each, context) for each in items])) if items else []

    return complete_all


def nullable(complete: Complete) -> Complete:
    """Return how a value is told that may be None."""

    def complete_some(value: Value, context: RequestContext) -> Value:
        return None if value is None else complete(value, context)

    return complete_some


def waiting_nullable(complete: Complete) -> Complete:
    """Return how a value is told that waits and may be None."""

    async def complete_some(value: Value, context: RequestContext) -> Value:
        return None if value is None else await complete(value, context)

    return complete_some


def not_null(complete: Complete) -> Complete:
    """Return how a value is told that must not be None."""

    def complete_it(value: Value, context: RequestContext) -> Value:
        if value is None:
            raise UnwellError
        return complete(value, context)

    return complete_it
