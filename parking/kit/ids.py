"""UUIDv7 identifiers (RFC 9562): they sort by time, so tables partition on the id itself."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_A_MASK = 0xFFF << 64
_RANDOM_B_MASK = (1 << 62) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LARGEST_MILLISECONDS = (1 << 48) - 1


def new_id(at: datetime) -> UUID:
    """Return a fresh UUIDv7 whose time is `at` (aware), to the millisecond."""
    return _compose(_milliseconds(at), secrets.randbits(74))


def derive_id(source: UUID, purpose: str) -> UUID:
    """Return the id of the one row that `source` may cause for `purpose`.

    The same arguments give the same id, with the time of `source`: inserting twice meets the
    primary key instead of a duplicate, also on a table that is partitioned by time.
    """
    digest = hashlib.sha256(source.bytes + b"|" + purpose.encode()).digest()
    return _compose(source.int >> 80, int.from_bytes(digest[:10]) & ((1 << 74) - 1))


def id_time(identifier: UUID) -> datetime:
    """Return the time inside a UUIDv7, in UTC.

    Raises:
        ValueError: the id is of another version.
    """
    if identifier.version != 7:  # noqa: PLR2004 - the version's own number
        raise ValueError("identifier: expected a UUIDv7")
    return _EPOCH + timedelta(milliseconds=identifier.int >> 80)


def floor_id(at: datetime) -> UUID:
    """Return the smallest id of the millisecond `at`: a partition's bound, or a range's start."""
    return UUID(int=_milliseconds(at) << 80)


def _milliseconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("at: expected an aware time")
    milliseconds = (at - _EPOCH) // _MILLISECOND
    if not 0 <= milliseconds <= _LARGEST_MILLISECONDS:
        raise ValueError("at: expected a time between 1970 and 10889")
    return milliseconds


def _compose(milliseconds: int, random: int) -> UUID:
    return UUID(
        int=milliseconds << 80
        | _VERSION_7
        | ((random >> 62) << 64) & _RANDOM_A_MASK
        | _VARIANT
        | random & _RANDOM_B_MASK
    )
