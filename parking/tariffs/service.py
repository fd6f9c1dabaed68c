"""Use cases about rate tables: publish one, find the one that applies."""

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.tariffs import repository
from parking.tariffs.errors import RateTableMissingError
from parking.tariffs.models import RateTableVersion
from parking.tariffs.rules import RateTable, read_rate_table

PARSED_TABLES_MAX = 512
# A version never changes once it is committed, so that it is read once a process.
_versions: dict[tuple[UUID, UUID], RateTable] = {}


async def publish(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, *, currency: str, body: dict[str, Any]
) -> RateTableVersion:
    """Add the next version of a place's rate table, in force from now on.

    Raises:
        InvalidInputError: a field of the table is wrong, or its currency is not the place's.
    """
    table = read_rate_table(body)
    if table.currency != currency:
        raise InvalidInputError("currency", f"{currency}, as the place has")
    version = RateTableVersion(
        operator_id=operator_id,
        id=new_id(unit.now()),
        place_id=place_id,
        version=await repository.last_version(unit, operator_id, place_id) + 1,
        effective_at=unit.now(),
        body=body,
    )
    unit.session.add(version)
    return version


async def id_in_force(unit: UnitOfWork, operator_id: UUID, place_id: UUID, at: datetime) -> UUID:
    """Return the id of the version that applies to a stay that begins at `at`.

    Raises:
        RateTableMissingError: the place has none.
    """
    version = await repository.find_in_force(unit, operator_id, place_id, at)
    if version is None:
        raise RateTableMissingError("rate_table: expected one in force at this place")
    return version.id


async def load(unit: UnitOfWork, operator_id: UUID, rate_table_id: UUID) -> RateTable:
    """Return one version, ready to price with.

    Raises:
        RateTableMissingError: there is no such version.
    """
    key = (operator_id, rate_table_id)
    table = _versions.get(key)
    if table is None:
        version = await repository.find_version(unit, operator_id, rate_table_id)
        if version is None:
            raise RateTableMissingError("rate_table: expected an existing version")
        table = _parsed(orjson.dumps(version.body))
        if len(_versions) >= PARSED_TABLES_MAX:
            _versions.pop(next(iter(_versions)))
        _versions[key] = table
    return table


async def load_many(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], RateTable]:
    """Return many versions by (operator, version), ready to price with."""
    found = await repository.find_versions(unit, keys)
    return {key: _parsed(orjson.dumps(version.body)) for key, version in found.items()}


@lru_cache(maxsize=PARSED_TABLES_MAX)
def _parsed(body: bytes) -> RateTable:
    return read_rate_table(orjson.loads(body))
