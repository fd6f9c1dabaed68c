"""`sesame reconcile`: what it prints, writes, stores, and ends with."""

import asyncio
import csv
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parking.flows.context import ParkingContext
from parking.kit.database import Database
from sesame.cli import app
from sesame.commands import reconcile
from sesame.settings import Settings
from tests.factories.lane_world import VAULT, LaneWorld
from tests.factories.settlement_days import (
    falsify,
    morning,
    next_morning,
    paid_stay,
    row_of,
)


@pytest.fixture
def _own_context(world: LaneWorld, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def open_context(settings: Settings) -> AsyncGenerator[ParkingContext]:
        del settings
        # The command runs in a loop of its own, and so must its connections.
        database = Database(database_url, clock=world.clock, vault=VAULT)
        yield replace(world.context, database=database)
        await database.close()

    monkeypatch.setattr(reconcile, "open_context", open_context)


async def run(day: date, *arguments: str, provider: str = "fake") -> Result:
    command = ["reconcile", "--provider", provider, "--date", str(day), *arguments]
    return await asyncio.to_thread(CliRunner().invoke, app, command)


@pytest.mark.usefixtures("_own_context")
async def test_a_day_as_tables_json_and_csv(world: LaneWorld, tmp_path: Path) -> None:
    day = morning(world)
    early = await run(day)
    assert early.exit_code == reconcile.NOT_DONE
    assert early.stderr.startswith(f"SETTLEMENT_NOT_READY: date: {day} ends at ")
    told = json.loads((await run(day, "--json")).stdout)
    assert (told["error"]["code"], told["error"]["retryable"]) == ("SETTLEMENT_NOT_READY", True)
    nobody = await run(day, provider="nobody")
    assert (nobody.exit_code, nobody.stderr) == (2, "INVALID_INPUT: provider: expected fake\n")
    nowhere = await run(day, "--csv", str(tmp_path / "none" / "x.csv"))
    assert nowhere.exit_code == reconcile.NOT_DONE
    assert nowhere.stderr.startswith("INVALID_INPUT: --csv: expected a file that can be written")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SESAME_WECHAT_ADVANCE_FUNDED", "maybe")
        assert (await run(day)).exit_code == reconcile.NOT_DONE

    await paid_stay(world)
    next_morning(world)
    same = await run(day, "--no-store")
    assert same.exit_code == 0, same.output
    assert "No differences." in same.stdout
    assert await world.count("reconciliation_runs") == 0

    hostile = row_of(day, number="", reference="=cmd|'/C calc'!A0\x1b[2J")
    falsify(world, day, lambda rows: (*rows, hostile))
    path = tmp_path / "differences.csv"
    shown = await run(day, "--csv", str(path))
    assert shown.exit_code == reconcile.DIFFERENT, shown.output
    assert "missing_in_books" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "1 difference." in shown.stdout
    assert [row["code"] for row in await world.rows("SELECT code FROM reconciliation_differences")]
    with path.open(encoding="utf-8", newline="") as file:
        [written] = csv.DictReader(file)
    assert written["reference"].startswith("'=cmd")
    assert (written["code"], written["ours_minor"]) == ("missing_in_books", "")
    assert (written["theirs_minor"], written["theirs_currency"]) == ("700", "CNY")

    answer = await run(day, "--json")
    found = json.loads(answer.stdout)
    assert (answer.exit_code, found["differences"], found["notes"]) == (1, 1, 0)
    assert found["together"]["codes"] == {"missing_in_books": 1}
    assert found["together"]["openings"] == {"paid": 1}
    [total] = found["together"]["totals"]
    assert (total["theirs_minor"], total["ours_minor"], total["fee_minor"]) == (1700, 1000, 5)
    assert [one["operator"] for one in found["operators"]] == ["Riverside Parking", "no operator"]
    [finding] = found["findings"]
    assert finding["advice"].startswith("Find out who sent it")
