"""`sesame migrate`: bring a database to this version's schema."""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
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
from sesame.embedded.stack import Stack
from sesame.settings import Settings

# Two processes that migrate at once would both create the tables: one waits for the other.
_LOCK = text("SELECT pg_advisory_lock(hashtext('sesame.migrate'))")


def migrate_command(
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Fail if models and migrations differ; uses a throw-away database."
        ),
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Bring the database at DATABASE_URL to this version's schema, and make its partitions."""
    if check:
        differences = _check()
        _print(json_output=json_output, report={"differences": differences})
        raise typer.Exit(1 if differences else 0)
    url = Settings().require_database_url()
    made = asyncio.run(migrate(url))
    _print(json_output=json_output, report={"revision": head_revision(), "partitions_made": made})


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
    async with database.begin() as unit:
        made = await ensure_partitions(unit)
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


def _check() -> list[str]:
    with TemporaryDirectory() as folder, Stack(Path(folder), durable=False, settings={}) as stack:
        url = stack.endpoints.database_url
        asyncio.run(migrate(url))
        return asyncio.run(drift(url))


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


def _print(*, json_output: bool, report: dict[str, Any]) -> None:
    if json_output:
        typer.echo(json.dumps(report))
        return
    for name, value in report.items():
        items: list[str] = [value] if isinstance(value, str) else list(value)
        typer.echo(f"{name}: {', '.join(items)}")
