"""The one way into the staff's schema: who asks, whether they may, where, and what is kept."""

from collections.abc import Awaitable, Callable
from dataclasses import fields, is_dataclass
from typing import Any, Final, cast
from uuid import UUID

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.base import StrawberryObjectDefinition

from api.global_ids import encode_id, read_id
from api.refusals import Refusal, camel_case, refusal_of
from api.request import Info, RequestContext
from api.staff.arguments import plain, texts
from api.staff.permissions import Permission, Scope, permission_of
from parking.flows.staff.place_of import KINDS_AT_PLACES, place_of
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from parking.staff import acting
from parking.staff.acting import Act
from parking.staff.errors import StaffForbiddenError
from parking.staff.rules import StaffIdentity

# An id is the operator's and its own, or only its own.
_KEYS_MAX: Final = 2


class StaffGate(FieldExtension):
    """Stands before one field of the root."""

    def __init__(self, name: str, permission: Permission, *, is_act: bool) -> None:
        self._name = name
        self._permission = permission
        self._is_act = is_act

    async def resolve_async(
        self,
        next_: Callable[..., Awaitable[Any]],
        source: Any,  # noqa: ANN401 - the root has no value
        info: strawberry.Info[Any, Any],
        **kwargs: Any,  # noqa: ANN401 - the field's own
    ) -> Any:  # noqa: ANN401 - the field's own
        """Let whoever may ask pass, and keep what they do."""
        try:
            return await self._enter(next_, source, info, kwargs)
        except ParkingError as error:
            # A mutation tells of a refusal in its union; a query has no other way than this.
            if self._is_act:
                return refusal_of(error)
            raise

    async def _enter(
        self,
        next_: Callable[..., Awaitable[Any]],
        source: Any,  # noqa: ANN401 - the root has no value
        info: Info,
        given: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - the field's own
        context = info.context
        staff = await context.check_staff()
        act = _act(context, staff, self._name, given)

        async def work() -> Any:  # noqa: ANN401 - the field's own
            self._permission.require(staff)
            ids = _ScopedIds(context, staff)
            allowed = given
            if staff.places is not None and self._permission.scope is not Scope.NO_PLACE:
                allowed = {name: await ids.limit(value) for name, value in given.items()}
            elif self._is_act:
                await ids.look(given)
            act.place_id = ids.place_id
            return await next_(source, info, **allowed)

        if self._is_act:
            return await acting.perform(context.parking.database, act, work, _refusal_code)
        try:
            return await work()
        except StaffForbiddenError as error:
            await act.close(context.parking.database, acting.Outcome.REFUSED, error.code)
            raise


class _ScopedIds:
    """Finds the places of what is named, and puts ids of nothing in place of what is elsewhere.

    So what is at another place answers in the very way of what does not exist.
    """

    def __init__(self, context: RequestContext, staff: StaffIdentity) -> None:
        self._context = context
        self._staff = staff
        self.place_id: UUID | None = None

    async def look(self, given: object) -> None:
        """Find the place of the first thing that is named."""
        for text in texts(plain(given)):
            if self.place_id is None:
                await self._find(text)

    async def limit(self, given: Any) -> Any:  # noqa: ANN401 - an argument of any field
        """Return an argument without what the member does not see."""
        if isinstance(given, str):
            return await self._limited(given)
        if isinstance(given, list):
            return [await self.limit(one) for one in cast("list[object]", given)]
        if is_dataclass(given) and not isinstance(given, type):
            for one in fields(given):
                value = getattr(given, one.name)
                if isinstance(value, str | list) or is_dataclass(value):
                    setattr(given, one.name, await self.limit(value))
        return given

    async def _limited(self, text: str) -> str:
        named = _read(text)
        if named is None or self._staff.sees(await self._find(text)):
            return text
        kind, keys = named
        nothing = new_id(self._context.parking.clock.now())
        return encode_id(kind, *keys[:-1], nothing)

    async def _find(self, text: str) -> UUID | None:
        named = _read(text)
        if named is None:
            return None
        kind, keys = named
        if len(keys) == _KEYS_MAX and keys[0] != self._staff.operator_id:
            return None
        parking = self._context.parking
        found = await place_of(parking, self._staff.operator_id, kind, keys[-1])
        self.place_id = self.place_id or found
        return found


def _read(text: str) -> tuple[str, tuple[UUID, ...]] | None:
    try:
        kind, keys = read_id(text)
    except ValueError:
        return None
    return (kind, keys) if kind in KINDS_AT_PLACES and 0 < len(keys) <= _KEYS_MAX else None


def _act(context: RequestContext, staff: StaffIdentity, name: str, given: dict[str, Any]) -> Act:
    # The argument's name in the schema, see `api.acting.Given`.
    named = {"input" if key == "given" else camel_case(key): one for key, one in given.items()}
    arguments = {key: plain(one, key) for key, one in named.items() if one is not None}
    return Act(staff, name, arguments, context.correlation_id, context.parking.clock)


def _refusal_code(result: object) -> str | None:
    return result.code if isinstance(result, Refusal) else None


def guard(root: Any, *, are_acts: bool) -> None:  # noqa: ANN401 - a type with a definition
    """Put the gate before every field of a root type."""
    definition: StrawberryObjectDefinition = root.__strawberry_definition__
    for field in definition.fields:
        name = field.graphql_name or camel_case(field.python_name)
        gate = StaffGate(name, permission_of(name), is_act=are_acts)
        field.extensions = [*field.extensions, gate]
