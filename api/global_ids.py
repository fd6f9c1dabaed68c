"""Global ids (Relay): opaque to clients, and naming one thing of one type."""

import base64
import binascii
from typing import Final
from uuid import UUID

import strawberry

from parking.kit.errors import InvalidInputError

# An issued bill is found by its operator and its own id.
BILL_KIND: Final = "Bill"
LANE_KIND: Final = "AccessLane"
_LENGTH_MAX: Final = 200


@strawberry.interface(description="Anything that can be fetched again by its id.")
class Node:
    """Anything with a global id."""

    id: strawberry.ID = strawberry.field(description="Opaque; keep it as it is.")


def encode_id(kind: str, *keys: UUID) -> strawberry.ID:
    """Return the global id of a thing."""
    text = ":".join((kind, *(str(key) for key in keys)))
    return strawberry.ID(base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))


def read_id(text: str) -> tuple[str, tuple[UUID, ...]]:
    """Return the kind and the keys inside a global id.

    Raises:
        ValueError: it is not one of ours.
    """
    if len(text) > _LENGTH_MAX or not text.isascii():
        raise ValueError("id: too long, or not ASCII")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("id: not base64") from error
    kind, *keys = raw.decode("ascii").split(":")
    return kind, tuple(UUID(key) for key in keys)


def decode_id(text: str, *, kind: str, field: str) -> UUID:
    """Return the one key of a global id of a given kind.

    Raises:
        InvalidInputError: it is of another kind, or none of ours.
    """
    (key,) = decode_keys(text, kind=kind, count=1, field=field)
    return key


def decode_keys(text: str, *, kind: str, count: int, field: str) -> tuple[UUID, ...]:
    """Return the keys of a global id of a given kind; raises as `decode_id`."""
    try:
        found, keys = read_id(text)
    except ValueError as error:
        raise InvalidInputError(field, f"an id of the kind {kind}, as the API gave it") from error
    if found != kind or len(keys) != count:
        raise InvalidInputError(field, f"an id of the kind {kind}, as the API gave it")
    return keys
