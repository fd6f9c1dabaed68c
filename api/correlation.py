"""The id by which a client's request is found in our log."""

import re
from typing import Final
from uuid import uuid4

from starlette.types import Scope

HEADER: Final = "x-correlation-id"
HEADER_BYTES: Final = HEADER.encode()
_KEY: Final = "sesame.correlation_id"
# What fits into any log, and is no sentence.
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def new_correlation_id() -> str:
    """Return an id of our own."""
    return uuid4().hex


def correlation_id(scope: Scope) -> str:
    """Return the id of a request or a socket; always the same one."""
    if _KEY not in scope:
        scope[_KEY] = _given(scope) or new_correlation_id()
    return str(scope[_KEY])


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER_BYTES and _WELL_FORMED.fullmatch(value):
            return value.decode("ascii")
    return None
