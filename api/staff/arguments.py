"""What a field was given, as the record of acts keeps it."""

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Final, cast
from uuid import UUID

import strawberry

from api.refusals import camel_case

_SECRETS: Final = frozenset({"token", "refreshToken", "code", "password", "secret"})
_HIDDEN: Final = "(secret)"
_NESTED_MAX: Final = 8


def plain(value: object, name: str = "", depth: int = 0) -> object:
    """Return an argument as JSON, without secrets and without what was left out."""
    if name in _SECRETS:
        return _HIDDEN
    if depth > _NESTED_MAX:
        return None
    members = _members(value)
    if members is not None:
        return {
            key: plain(below, key, depth + 1)
            for key, below in members.items()
            if below is not None and below is not strawberry.UNSET
        }
    if isinstance(value, list):
        return [plain(one, name, depth + 1) for one in cast("list[object]", value)]
    return _leaf(value)


def texts(value: object) -> list[str]:
    """Return every text in what `plain` gave, in its order."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(cast("dict[str, object]", value).values())
    if isinstance(value, list):
        return [text for below in cast("list[object]", value) for text in texts(below)]
    return []


def _members(value: object) -> dict[str, Any] | None:
    if is_dataclass(value) and not isinstance(value, type):
        return {camel_case(one.name): getattr(value, one.name) for one in fields(value)}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _leaf(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date | UUID):
        return str(value)
    return value if isinstance(value, str | int | float | bool) else None
