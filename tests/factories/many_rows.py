"""More of everything: whole stories copied row by row, each with ids of its own."""

import json
import secrets
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from parking.kit.database import UnitOfWork
from tests.factories.lane_world import LaneWorld

# What all stories share, and what no list shows.
SHARED: Final = frozenset(
    {
        "access_lanes",
        "alembic_version",
        "drivers",
        "identified_areas",
        "operators",
        "places",
        "rate_tables",
        "right_specifications",
        "spaces",
        "vehicle_classes",
    }
)
_TABLES: Final = """
    SELECT relname AS name,
        ARRAY(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = class.oid AND attnum > 0 AND NOT attisdropped
        ) AS columns,
        ARRAY(
            SELECT attname::text FROM pg_index
            JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
            WHERE indrelid = class.oid AND indisunique AND atttypid = 'uuid'::regtype
        ) AS uuids,
        ARRAY(
            SELECT attname::text FROM pg_index
            JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
            WHERE indrelid = class.oid AND indisunique AND atttypid = 'text'::regtype::oid
                OR indrelid = class.oid AND indisunique AND atttypid = 'varchar'::regtype
        ) AS texts
    FROM pg_class AS class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
    ORDER BY relname
"""
_RANDOM_BITS: Final = 62
# Texts that no two rows have in common.
_NAMES_OF_ITS_OWN: Final = ("key", "number", "target", "name", "reference")


async def copy_everything(world: LaneWorld, copies: int) -> None:
    """Copy each row that is not shared `copies` times; one that may exist once stays alone."""
    async with world.context.database.begin() as unit:
        # Neither references nor triggers: a copied story is as whole as the one it is copied from.
        await unit.run(text("SET LOCAL session_replication_role = replica"))
        tables = [dict(row) for row in (await unit.run(text(_TABLES))).mappings()]
        rows = {table["name"]: await _rows(unit, table["name"]) for table in tables}
        shared = {
            row[name]
            for table in tables
            if table["name"] in SHARED
            for row in rows[table["name"]]
            for name in table["uuids"]
        }
        copied = [table for table in tables if table["name"] not in SHARED]
        for number in range(copies):
            await _copy(unit, copied, rows, shared, f"{number}{secrets.token_hex(3)}")


async def _rows(unit: UnitOfWork, table: str) -> list[dict[str, Any]]:
    found = await unit.run(text(f"SELECT row_to_json(t)::text AS row FROM {table} t"))  # noqa: S608
    return [json.loads(row) for row in found.scalars()]


async def _copy(
    unit: UnitOfWork,
    tables: list[dict[str, Any]],
    rows: dict[str, list[dict[str, Any]]],
    shared: set[str],
    suffix: str,
) -> None:
    fresh = {
        row[name]: _like(row[name])
        for table in tables
        for row in rows[table["name"]]
        for name in table["uuids"]
        if row[name] and row[name] not in shared
    }
    for table in tables:
        for row in rows[table["name"]]:
            given = {**row, **_renamed(row, table["texts"], suffix)}
            written = json.dumps(given, ensure_ascii=False)
            for old, new in fresh.items():
                written = written.replace(old, new)
            await unit.run(
                text(
                    f"INSERT INTO {table['name']} SELECT * FROM "  # noqa: S608 - a table's name
                    f"jsonb_populate_record(NULL::{table['name']}, CAST(:row AS jsonb)) "
                    "ON CONFLICT DO NOTHING"
                ),
                {"row": written},
            )


def _renamed(row: dict[str, Any], names: Iterable[str], suffix: str) -> dict[str, str]:
    return {name: f"{row[name]}{suffix}" for name in names if name.endswith(_NAMES_OF_ITS_OWN)}


def _like(old: str) -> str:
    """Return an id of the same moment: rows of one story stay in their order and partition."""
    kept = UUID(old).int >> _RANDOM_BITS << _RANDOM_BITS
    return str(UUID(int=kept | secrets.randbits(_RANDOM_BITS)))
