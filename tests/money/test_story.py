"""Directed stories over real PostgreSQL and the providers' stand-ins: the ten promises hold."""

from collections.abc import Callable
from pathlib import Path

import pytest

from parking.flows.payments import charging
from tests.money.dice import SeededDice
from tests.money.story import Story, Told, providers_of
from tests.money.town import open_town

SEEDS = range(8)
STEPS = 60


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0,))


@pytest.mark.parametrize("seed", SEEDS)
async def test_promises_hold_in_a_story(
    database_url: str,
    valkey_url: str,
    tmp_path: Path,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    told = Told()
    async with open_town(database_url, valkey_url, tmp_path, providers_of(seed)) as town:
        await Story(town, SeededDice(seed), told).tell(STEPS)
    record_property("steps", dict(told.steps))
