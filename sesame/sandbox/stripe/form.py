"""Stripe's form encoding: `metadata[a]=1&items[0][price]=2` is an object of objects and lists."""

import re
from typing import Any, cast
from urllib.parse import parse_qsl

FIELDS_MAX = 200
DEPTH_MAX = 6
_PART = re.compile(r"\[([^\[\]]*)\]")

Form = dict[str, Any]


def decode(text: str) -> Form:
    """Return the object.

    Raises:
        ValueError: it is no form, or a name is two things at once.
    """
    form: Form = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX):
        head, bracket, rest = name.partition("[")
        path = [head, *_PART.findall(bracket + rest)]
        if not head or len(path) > DEPTH_MAX:
            raise ValueError(f"{name}: expected a name such as a[b][0]")
        _put(form, path, value)
    return cast("Form", _with_lists(form))


def _put(form: Form, path: list[str], value: str) -> None:
    place = form
    for part in path[:-1]:
        key = part or str(len(place))
        inner = place.setdefault(key, {})
        if not isinstance(inner, dict):
            raise TypeError(f"{part}: expected one thing")
        place = cast("Form", inner)
    last = path[-1] or str(len(place))
    if last in place:
        raise ValueError(f"{last}: expected once")
    place[last] = value


def _with_lists(value: object) -> object:
    """Return the value with every `{"0": a, "1": b}` as a list."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(item) for name, item in cast("Form", value).items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
