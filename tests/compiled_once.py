"""Engines that share what they compiled: a process has one, a test run has one for each test."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine


class CompiledOnce:
    """Makes engines; compiling every statement again took a fifth of a test.

    Args:
        create: SQLAlchemy's `create_async_engine`.
    """

    def __init__(self, create: Callable[..., AsyncEngine]) -> None:
        self._create = create
        self._dialect: Any = None
        self._compiled: Any = None

    def __call__(self, *arguments: Any, **options: Any) -> AsyncEngine:  # noqa: ANN401 - SQLAlchemy's own
        """Return an engine that shares the dialect of the first one that connected."""
        made = self._create(*arguments, **options)
        engine: Any = made.sync_engine
        if self._dialect is None:
            # A dialect is complete once it has seen the server.
            listen(engine, "connect", lambda *_: self._keep(engine), once=True)
        else:
            # Statements are kept by their dialect too, here and in each mapper.
            engine.dialect = self._dialect
            engine._compiled_cache = self._compiled
        return made

    def _keep(self, engine: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        self._dialect, self._compiled = engine.dialect, engine._compiled_cache
