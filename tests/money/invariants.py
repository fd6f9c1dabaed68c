"""Holds every promise after each step of a story, by our books and by every provider's own.

Each failure names its promise: a seeded bug counts as caught only where one of these caught it.
"""

from collections.abc import Iterable

from sesame.bench.money import promises
from sesame.bench.money.promises import Broken
from sesame.bench.money.rows import read_rows
from tests.money import coupons
from tests.money.town import Town


class BrokenPromiseError(AssertionError):
    """One of them does not hold; `number` says which."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(str(broken))
        self.number = broken.promise


class Inspector:
    """Looks at everything after each step; gate commands are judged once, when they appear."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._operators = {yard.operator_id for yard in town.yards}
        self._judged: set[object] = set()

    async def inspect(self) -> None:
        """Check what must hold at every moment.

        Raises:
            BrokenPromiseError: something does not.
        """
        async with self._town.context.database.begin() as unit:
            rows = await read_rows(unit, self._operators)
        books = await self._town.books()
        new = [command for command in rows.commands if command["id"] not in self._judged]
        self._judged.update(command["id"] for command in new)
        _require(promises.gate_by_money(rows, books, new))
        _require(promises.always(rows, books))
        _require(await coupons.broken(self._town))

    async def inspect_recovered(self) -> None:
        """Check what must hold once every fault is over and the sweeps have run.

        Raises:
            BrokenPromiseError: something does not.
        """
        await self.inspect()
        async with self._town.context.database.begin() as unit:
            rows = await read_rows(unit, self._operators)
        _require(promises.recovered(rows, await self._town.books()))


def _require(found: Iterable[Broken]) -> None:
    for broken in found:
        raise BrokenPromiseError(broken)
