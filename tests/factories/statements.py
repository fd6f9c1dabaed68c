"""The statements that a test's database executes, to count them."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from parking.kit.database import Database


@contextmanager
def collected(database: Database) -> Generator[list[str]]:
    """Collect what is executed within the block."""
    engine = database._engine.sync_engine  # pyright: ignore[reportPrivateUsage]
    seen: list[str] = []

    def listen(*args: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        seen.append(args[2])

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", listen)
