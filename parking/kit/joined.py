"""Several units of work as one transaction, begun by somebody who writes down what they did."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Row as ResultRow
from sqlmodel.ext.asyncio.session import AsyncSession

from parking.kit.database import Database, UnitOfWork
from parking.kit.one_statement import OneStatement
from parking.kit.quick_reads import Row as QuickRow


class JoinedDatabase(Database):
    """Opens the same unit of work again and again; whoever began it commits it.

    Only for a use case that is one transaction and asks nobody else in the middle: nothing that
    it writes is there before the end.

    Args:
        outer: Where the unit was begun.
        unit: The unit.
    """

    def __init__(self, outer: Database, unit: UnitOfWork) -> None:  # pyright: ignore[reportMissingSuperCall]
        self.clock = outer.clock
        self.vault = outer.vault
        self.after_events = outer.after_events
        self.is_broken = False
        self._unit = unit

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[UnitOfWork]:
        """Give the unit out; what is raised in the block must end the whole of it."""
        try:
            yield self._unit
        except BaseException:
            self.is_broken = True
            raise

    async def tell_events(self, unit: UnitOfWork) -> None:
        """Wait for the commit: whoever began the unit wakes the relay."""

    @asynccontextmanager
    async def statements(self) -> AsyncGenerator[AsyncSession]:
        """Refuse: its statements would commit by themselves."""
        raise RuntimeError("joined: no statement commits by itself here")
        yield  # pragma: no cover - makes it a generator

    async def run_alone(
        self, statement: OneStatement, values: Mapping[str, object]
    ) -> ResultRow[Any]:
        """Refuse: it would commit by itself."""
        _ = statement, values
        raise RuntimeError("joined: no statement commits by itself here")

    async def read_quickly(
        self, statement: OneStatement, values: Mapping[str, object]
    ) -> list[QuickRow]:
        """Refuse: it would not see what the unit has written."""
        _ = statement, values
        raise RuntimeError("joined: nothing is read beside the transaction here")

    async def close(self) -> None:
        """Close nothing: the pool is the outer one's."""
