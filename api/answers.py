"""Answers of mutations as text, so that the same request gets the same answer again.

The text is written by the types of the schema and read by their annotations. What has a global
id is read anew where it can be found, because it may have changed since.
"""

import json
import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, NewType, Union, cast, get_args, get_origin
from typing import get_type_hints as hints_of
from uuid import UUID

from pydantic import BaseModel

from api.global_ids import Node

FindNode = Callable[[str], Awaitable[Node | None]]

_TYPE: Final = "__typename"
_PLAIN: Final = (bool, int, float, str)
_WRITTEN_ISO: Final = (datetime, date, time)
_WRITTEN_AS_TEXT: Final = (UUID, Decimal)
PLAIN_KINDS: Final = (*_PLAIN, *_WRITTEN_ISO, *_WRITTEN_AS_TEXT, Any, dict, object)


async def _find_nothing(global_id: str) -> Node | None:
    _ = global_id


@dataclass(frozen=True, slots=True)
class AnswerText:
    """Writes and reads the answers of one mutation.

    Attributes:
        members: What the mutation may answer.
        is_kept: False where the act is asked again instead.
    """

    members: tuple[type, ...]
    is_kept: bool = True

    def write(self, answer: object) -> str:
        """Return the answer as text."""
        if not self.is_kept:
            return "{}"
        return json.dumps({_TYPE: type(answer).__name__, "answer": written(answer)})

    async def read(self, text: str, find_node: FindNode = _find_nothing) -> object:
        """Return the answer that was written, with its nodes as they are now."""
        said = json.loads(text)
        [member] = (each for each in self.members if each.__name__ == said[_TYPE])
        found = {each: await find_node(each) for each in _node_ids(said["answer"])}
        return _read(member, said["answer"], found)


def written(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value of the schema as JSON; the same value is always written alike.

    Raises:
        TypeError: it is of a type that no answer and no input has.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, _WRITTEN_ISO):
        return value.isoformat()
    if isinstance(value, _WRITTEN_AS_TEXT):
        return str(value)
    return _written_parts(value)


def _written_parts(value: object) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value)
        return {name: written(items[name]) for name in sorted(items)}
    if isinstance(value, Sequence):
        return [written(each) for each in cast("Sequence[object]", value)]
    if is_dataclass(value):
        said = {each.name: written(getattr(value, each.name)) for each in _fields(type(value))}
        return {"node": said["id"], "kept": said} if isinstance(value, Node) else said
    raise TypeError(f"answers: {type(value).__name__} cannot be written")


def _fields(kind: type) -> list[Field[Any]]:
    # A field with a resolver is computed from the others.
    return [each for each in fields(kind) if each.init]


def _node_ids(said: object) -> set[str]:
    inner = set[str]()
    if isinstance(said, list):
        inner.update(*map(_node_ids, cast("list[object]", said)))
    elif isinstance(said, dict):
        members = cast("dict[str, object]", said)
        inner.update(*map(_node_ids, members.values()))
        if members.keys() == {"node", "kept"}:
            inner.add(str(members["node"]))
    return inner


def _read(hint: Any, said: Any, found: Mapping[str, Node | None]) -> Any:  # noqa: ANN401, PLR0911
    if said is None:
        return None
    kind = kind_of(hint)
    if get_origin(kind) in (list, tuple, Sequence):
        items = [_read(get_args(kind)[0], each, found) for each in said]
        return tuple(items) if get_origin(kind) is tuple else items
    if get_origin(kind) is not None or kind is Any or kind in (dict, object, *_PLAIN):
        return said
    if issubclass(kind, Enum) or kind in _WRITTEN_AS_TEXT:
        return kind(said)
    if kind in _WRITTEN_ISO:
        return kind.fromisoformat(said)
    if issubclass(kind, BaseModel):
        return kind.model_validate(said)
    if issubclass(kind, Node):
        again = found.get(said["node"])
        if isinstance(again, kind):
            return again
        said = said["kept"]
    hints = _hints(kind)
    # A field that came with a release since is missing: its default, or null, is told.
    values = {
        one.name: _read(hints[one.name], said.get(one.name), found)
        for one in _fields(kind)
        if one.name in said or not _has_default(one)
    }
    return kind(**values)


def _has_default(one: Field[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def kind_of(hint: Any) -> Any:  # noqa: ANN401 - a type, or what stands for one
    """Return the one type that a value may have besides null."""
    if get_origin(hint) in (Union, types.UnionType):
        [arm] = (each for each in get_args(hint) if each is not types.NoneType)
        return kind_of(arm)
    if isinstance(hint, NewType):
        return kind_of(hint.__supertype__)
    return hint


@cache
def _hints(kind: type) -> dict[str, Any]:
    return hints_of(kind)
