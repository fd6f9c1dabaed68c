"""A database's schema: bring it to this version, and compare it with the models."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

import migrations
from migrations.metadata import belongs_to_schema
from parking.kit.clock import SystemClock
from parking.kit.crypto import KEY_BYTES, Vault
from parking.kit.database import Database, driver_url
from parking.kit.partitions import ensure_partitions

# Two processes that migrate at once would both create the tables: one waits for the other.
_LOCK = text("SELECT pg_advisory_lock(hashtext('sesame.migrate'))")


async def migrate(url: str) -> list[str]:
    """Run the missing migrations and make the missing partitions; returns the new partitions."""
    engine = create_async_engine(driver_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(_LOCK)
        await connection.commit()
        await connection.run_sync(_upgrade)
        await connection.commit()
    await engine.dispose()
    # Partitions hold no secret: any vault will do.
    vault = Vault(field_key=b"\0" * KEY_BYTES, index_key=b"\1" * KEY_BYTES)
    database = Database(url, clock=SystemClock(), vault=vault, connections_max=1)
    try:
        made = await ensure_partitions(database)
    finally:
        await database.close()
    return made


async def drift(url: str) -> list[str]:
    """Return how the migrated database differs from the models; empty when it does not."""
    engine = create_async_engine(driver_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        differences = await connection.run_sync(_compare)
    await engine.dispose()
    return differences


def head_revision() -> str:
    """Return the newest migration's name."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _compare(connection: Connection) -> list[str]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "include_object": belongs_to_schema}
    )
    differences: list[Any] = compare_metadata(context, SQLModel.metadata)
    return [repr(difference) for difference in differences]
