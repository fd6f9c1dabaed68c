"""The fingerprint of a rate table: a bill names by it what it was priced with."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from parking.kit.canonical_json import fingerprint
from parking.kit.database import UnitOfWork
from parking.tariffs import repository
from parking.tariffs.errors import RateTableMissingError

KEPT_MAX: Final = 4096
# A version never changes once it is committed, so that it is read once a process.
_known: dict[tuple[UUID, UUID], str] = {}


def fingerprint_of(body: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hexadecimal, of the table's canonical JSON (RFC 8785)."""
    return fingerprint(dict(body))


async def load_fingerprint(unit: UnitOfWork, operator_id: UUID, rate_table_id: UUID) -> str:
    """Return the fingerprint of a version.

    Raises:
        RateTableMissingError: there is no such version.
    """
    key = (operator_id, rate_table_id)
    if key not in _known:
        version = await repository.find_version(unit, operator_id, rate_table_id)
        if version is None:
            raise RateTableMissingError("rate_table: expected an existing version")
        if len(_known) >= KEPT_MAX:
            _known.pop(next(iter(_known)))
        _known[key] = fingerprint_of(version.body)
    return _known[key]
