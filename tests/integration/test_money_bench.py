"""The bench of money itself: a short chaos comes out right, and its audit sees what is wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from sqlalchemy import text

from sesame.bench.money.audit import audit
from sesame.bench.money.faults import FaultPlan, Kind
from sesame.bench.money.money_bench import MoneyPlan, aftermath
from sesame.bench.money.round_trips import RoundTripCounter
from sesame.commands.migrate import migrate
from tests.servers import throwaway_folder

# One wallet, cards, and the one that takes every currency: fewer processes to start.
PROVIDERS = ("acquirer", "wechat", "stripe")
EXITS = 20


@pytest.fixture
def memory() -> Iterator[Path]:
    """An empty folder, in memory where the machine allows it: no figure is looked at."""
    with throwaway_folder() as folder:
        yield folder


@pytest.mark.timeout(170)
async def test_cars_leave_while_everything_breaks_and_tampering_is_seen(memory: Path) -> None:
    plan = MoneyPlan(exits=EXITS, places=4, providers=PROVIDERS, charges=0, folder=memory)
    async with aftermath(plan, migrate, lambda _what, _count: None) as found:
        books = found.audit
        assert books.broken == ()
        assert (books.exits, books.left, books.pulses) == (EXITS, EXITS, EXITS)
        assert (books.double_charges, books.lost, books.limbo, books.unbilled) == (0, 0, 0, 0)
        assert books.ours == books.theirs
        assert sum(books.theirs.values()) > 0
        assert books.is_right
        assert found.played.recovered_s is not None
        kinds = {name.partition(":")[0] for name in found.played.played}
        assert kinds == set(Kind)

        database = found.installation.context.database
        async with database.begin() as unit:
            # The database itself refuses such changes, but for its administrator.
            await unit.run(text("SET LOCAL session_replication_role = replica"))
            await unit.run(
                text(
                    "UPDATE payment_attempts SET state = 'failed' WHERE id = (SELECT id"
                    " FROM payment_attempts WHERE state = 'succeeded' ORDER BY id LIMIT 1)"
                )
            )
            await unit.run(
                text(
                    "UPDATE bills SET state = 'void' WHERE id = (SELECT id FROM bills"
                    " WHERE state = 'paid' ORDER BY id DESC LIMIT 1)"
                )
            )
        tampered = await audit(found.installation, found.street, found.played.departures)
        assert not tampered.is_right
        assert (tampered.lost, tampered.unbilled) == (1, 1)
        assert {broken.split()[1] for broken in tampered.broken} >= {"9", "10"}


def test_plan_of_faults_is_the_same_for_the_same_seed() -> None:
    plan = FaultPlan(exits=200, providers=PROVIDERS, seed=7, kills_each=2, provider_faults=30)
    assert plan.faults() == plan.faults()
    kills = [fault.target for fault in plan.faults() if fault.kind is Kind.KILL]
    assert sorted(kills) == sorted(
        ("api", "gates", "worker", "recognizer", *PROVIDERS) * plan.kills_each
    )
    kinds = [fault.kind for fault in plan.faults()]
    assert (kinds.count(Kind.RESTART_DATABASE), kinds.count(Kind.FLUSH_VALKEY)) == (1, 1)


async def test_a_round_trip_is_a_question_and_its_answer(database_url: str) -> None:
    async with RoundTripCounter(database_url) as relay:
        # The driver itself comes without types.
        connection: Any = await cast("Any", asyncpg).connect(relay.url)
        try:
            await connection.execute("SELECT 1")
            before = relay.count
            await connection.execute("SELECT 1")
            assert relay.count - before == 1
            async with connection.transaction():
                await connection.execute("SELECT 1")
            # BEGIN and COMMIT count as well.
            assert relay.count - before == 4
            await connection.execute("SELECT 1; SELECT 2; SELECT 3")
            assert relay.count - before == 5
        finally:
            await connection.close()
