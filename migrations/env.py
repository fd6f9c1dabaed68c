"""Alembic's entry: runs the versions against the URL that `sesame migrate` hands over."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from migrations.metadata import belongs_to_schema, render_item
from parking.kit.database import driver_url


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        include_object=belongs_to_schema,
        render_item=render_item,
        compare_type=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _main(url: str) -> None:
    engine = create_async_engine(driver_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_run)
        await connection.commit()
    await engine.dispose()


_given: Any = context.config.attributes.get("connection")
if _given is not None:
    _run(_given)
else:
    asyncio.run(_main(context.config.attributes["url"]))
