"""What driver tokens were seen to prove, kept in one block of memory.

An object for each would lie between those of sockets that come at the same time, and Python gives
memory back only where nothing at all is in use.
"""

import struct
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

# 2.4 MB. Each digest has one place, which it takes from whoever had it: of 10,000 tokens one in
# seven is read anew.
PLACES: Final = 32_768
_PLACE: Final = struct.Struct("<32s16s16sq")


class KeptIdentities:
    """Driver, sign-in and expiry by a token's SHA-256."""

    def __init__(self) -> None:
        self._places = bytearray(PLACES * _PLACE.size)

    def find(self, digest: bytes) -> tuple[UUID, UUID, datetime] | None:
        """Return what was kept for a digest; None if it was not, or gave its place to another."""
        kept, driver_id, sign_in_id, expires_s = _PLACE.unpack_from(self._places, _start(digest))
        if kept != digest:
            return None
        expires_at = datetime.fromtimestamp(expires_s, UTC)
        return UUID(bytes=driver_id), UUID(bytes=sign_in_id), expires_at

    def keep(self, digest: bytes, driver_id: UUID, sign_in_id: UUID, expires_at: datetime) -> None:
        """Keep what a token proves until `expires_at`, which is a whole second."""
        values = digest, driver_id.bytes, sign_in_id.bytes, int(expires_at.timestamp())
        _PLACE.pack_into(self._places, _start(digest), *values)


def _start(digest: bytes) -> int:
    return int.from_bytes(digest[:4], "big") % PLACES * _PLACE.size
