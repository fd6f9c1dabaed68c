"""Use cases about rate tables: publish a version, say which applies when."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from parking.tariffs.versions import VersionInForce, when_in_force

PARSED_TABLES_MAX = 512
BODY_BYTES_MAX = 256 * 1024
VERSIONS_LISTED_MAX = 50
EFFECTIVE_DAYS_AHEAD_MAX = 5 * 366
_NONE_IN_FORCE = "rate_table: expected one in force at this place"
# A version never changes once it is committed, so that it is read once a process.
_versions: "dict[tuple[UUID, UUID], LoadedVersion]" = {}


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """A version of a place's rate table, ready to price with; `number` counts up from 1."""

    number: int
    table: RateTable


async def publish(
    unit: UnitOfWork,
    operator_id: UUID,
    place_id: UUID,
    *,
    currency: str,
    body: dict[str, Any],
    effective_at: datetime | None = None,
) -> RateTableVersion:
    """Add the next version of a place's rate table, in force from `effective_at` on.

    Of two versions that begin at the same instant the higher one applies. A stay keeps the version
    of its entry. Publishing what is published already returns it and adds nothing.

    Args:
        unit: The transaction; others who publish for the place wait until it ends.
        operator_id: The place's owner.
        place_id: The place.
        currency: What the place charges in.
        body: The rate table as JSON.
        effective_at: None for now. Only a place's first version may begin in the past.

    Raises:
        InvalidInputError: a field of the table is wrong, its currency is not the place's, or
            `effective_at` is in the past or too far ahead.
    """
    require_publishable(body, currency=currency)
    await repository.lock_versions(unit, operator_id, place_id)
    published = await _published_already(unit, operator_id, place_id, body, effective_at)
    if published is not None:
        return published
    last = await repository.last_version(unit, operator_id, place_id)
    version = RateTableVersion(
        operator_id=operator_id,
        id=new_id(unit.now()),
        place_id=place_id,
        version=last + 1,
        effective_at=_begin(effective_at, unit.now(), is_first=not last),
        body=body,
    )
    unit.session.add(version)
    return version


def require_publishable(body: dict[str, Any], *, currency: str) -> RateTable:
    """Return the table of a body that a place may charge by.

    Raises:
        InvalidInputError: the body is too large, a field of it is wrong, or its currency is not
            the place's.
    """
    if len(orjson.dumps(body)) > BODY_BYTES_MAX:
        raise InvalidInputError("rate_table", f"at most {BODY_BYTES_MAX} bytes")
    table = read_rate_table(body)
    if table.currency != currency:
        raise InvalidInputError("rate_table.currency", f"{currency}, as the place has")
    return table


async def _published_already(
    unit: UnitOfWork,
    operator_id: UUID,
    place_id: UUID,
    body: dict[str, Any],
    effective_at: datetime | None,
) -> RateTableVersion | None:
    """Return the version that publishing `body` would only repeat."""
    if effective_at is None:
        found = await repository.find_in_force(unit, operator_id, place_id, unit.now())
    else:
        found = await repository.find_effective_at(unit, operator_id, place_id, effective_at)
    return found if found is not None and found.body == body else None


def _begin(effective_at: datetime | None, now: datetime, *, is_first: bool) -> datetime:
    if effective_at is None:
        return now
    if effective_at < now and not is_first:
        raise InvalidInputError("effective_at", "a time that is not in the past")
    if effective_at > now + timedelta(days=EFFECTIVE_DAYS_AHEAD_MAX):
        raise InvalidInputError("effective_at", f"at most {EFFECTIVE_DAYS_AHEAD_MAX} days ahead")
    return effective_at


async def list_versions(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, *, first: int = VERSIONS_LISTED_MAX
) -> list[VersionInForce]:
    """Return a place's newest versions, the newest first, and when each is in force.

    Raises:
        InvalidInputError: `first` is not from 1 to VERSIONS_LISTED_MAX.
    """
    if not 1 <= first <= VERSIONS_LISTED_MAX:
        raise InvalidInputError("first", f"1 to {VERSIONS_LISTED_MAX}")
    return when_in_force(await repository.list_versions(unit, operator_id, place_id, first=first))


async def in_force(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, at: datetime
) -> RateTableVersion:
    """Return the version that applies to a stay that begins at `at`; raises as `id_in_force`."""
    version = await repository.find_in_force(unit, operator_id, place_id, at)
    if version is None:
        raise RateTableMissingError(_NONE_IN_FORCE)
    return version


async def all_in_force(
    unit: UnitOfWork, places: Collection[tuple[UUID, UUID]], at: datetime
) -> dict[tuple[UUID, UUID], tuple[RateTableVersion, RateTable]]:
    """Return what applies at many places at `at`, by (operator, place); one statement for all.

    Places without a rate table are left out.
    """
    found = await repository.find_all_in_force(unit, places, at)
    known = known_versions([(version.operator_id, version.id) for version in found.values()])
    return {
        place: (version, (known.get((version.operator_id, version.id)) or _keep(version)).table)
        for place, version in found.items()
    }


def required_of(
    found: Mapping[tuple[UUID, UUID], tuple[RateTableVersion, RateTable]],
    operator_id: UUID,
    place_id: UUID,
) -> tuple[RateTableVersion, RateTable]:
    """Return what `all_in_force` found for a place; raises as `id_in_force`."""
    if (operator_id, place_id) not in found:
        raise RateTableMissingError(_NONE_IN_FORCE)
    return found[operator_id, place_id]


async def id_in_force(unit: UnitOfWork, operator_id: UUID, place_id: UUID, at: datetime) -> UUID:
    """Return the id of the version that applies to a stay that begins at `at`.

    Raises:
        RateTableMissingError: the place has none.
    """
    table_id = await repository.find_id_in_force(unit, operator_id, place_id, at)
    if table_id is None:
        raise RateTableMissingError(_NONE_IN_FORCE)
    return table_id


async def load(unit: UnitOfWork, operator_id: UUID, rate_table_id: UUID) -> RateTable:
    """Return one version, ready to price with.

    Raises:
        RateTableMissingError: there is no such version.
    """
    key = (operator_id, rate_table_id)
    found = _versions.get(key)
    if found is None:
        version = await repository.find_version(unit, operator_id, rate_table_id)
        if version is None:
            raise RateTableMissingError("rate_table: expected an existing version")
        found = _keep(version)
    return found.table


async def load_many(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], RateTable]:
    """Return many versions by (operator, version), ready to price with."""
    return {key: loaded.table for key, loaded in (await load_versions(unit, keys)).items()}


async def load_versions(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], LoadedVersion]:
    """Return what `load_many` does with the number of each version; one statement for all."""
    known = known_versions(keys)
    missing = [key for key in keys if key not in known]
    if not missing:
        return known
    found = await repository.find_versions(unit, missing)
    return known | {key: _keep(version) for key, version in found.items()}


def known_versions(
    keys: Collection[tuple[UUID, UUID]],
) -> dict[tuple[UUID, UUID], LoadedVersion]:
    """Return those of some versions that this process has read before, without a statement."""
    return {key: _versions[key] for key in keys if key in _versions}


def _keep(version: RateTableVersion) -> LoadedVersion:
    loaded = LoadedVersion(version.version, _parsed(orjson.dumps(version.body)))
    if len(_versions) >= PARSED_TABLES_MAX:
        _versions.pop(next(iter(_versions)))
    _versions[version.operator_id, version.id] = loaded
    return loaded


@lru_cache(maxsize=PARSED_TABLES_MAX)
def _parsed(body: bytes) -> RateTable:
    return read_rate_table(orjson.loads(body))
