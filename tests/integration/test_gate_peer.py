"""A client that nobody here wrote speaks the wire: npm `ocpp-rpc`, by its own certificate."""

import asyncio
import json
import os
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import pytest

from parking.tariffs import service as tariffs
from tests.factories.lane_world import RATE_TABLE
from tests.integration.gate_town import GateTown, Shown, open_gate_town

ROOT: Final = Path(__file__).parents[2]
PEERS: Final = ROOT / "tests" / "peers"
IS_THERE: Final = shutil.which("node") is not None and (PEERS / "node_modules/ocpp-rpc").exists()

pytestmark = pytest.mark.skipif(
    not IS_THERE and os.environ.get("CI") != "true",
    reason="needs node, and `npm ci` in tests/peers, which `make test` runs where npm is there",
)


@pytest.fixture
async def town(database_url: str, valkey_url: str, tmp_path: Path) -> AsyncGenerator[GateTown]:
    async with open_gate_town(database_url, valkey_url, tmp_path) as opened:
        lane = opened.lanes[0]
        async with opened.context.database.begin() as unit:
            await tariffs.publish(
                unit,
                lane.operator_id,
                lane.place_id,
                currency="EUR",
                body={**RATE_TABLE, "currency": "EUR", "timezone": "Europe/Berlin"},
            )
        yield opened


async def play(town: GateTown, url: str, shown: Shown) -> tuple[int | None, list[dict[str, Any]]]:
    """Run the client; return its exit code, and what it tells."""
    wanted = {
        "url": url,
        "lane": str(town.lanes[0].id),
        "certificate": str(shown.file),
        "authority": str(town.authority_file),
        "schemas": str(ROOT / "docs" / "gate-wire"),
    }
    process = await asyncio.create_subprocess_exec(
        "node", "gate.js", json.dumps(wanted), cwd=PEERS, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(60):
            told, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert complaints == b""
    return process.returncode, [json.loads(line) for line in told.splitlines()]


async def test_ocpp_rpc_lets_a_car_in(town: GateTown) -> None:
    async with town.bridge() as bridge:
        url = f"wss://127.0.0.1:{bridge.port}/gates"
        code, told = await play(town, url, await town.enrolled(town.lanes[0]))
    assert [record for record in told if record["event"] != "display"] == [
        {"event": "connected", "protocol": "sesame.gate.v1"},
        {"event": "greeted", "epoch": 1, "last_seq": 0},
        {"event": "beat", "fields": ["sent_at", "server_time"]},
        {"event": "acknowledged", "last_seq": 2},
        {"event": "order", "for_car": True, "epoch": 1},
        {"event": "acknowledged", "last_seq": 5},
        {
            "event": "refused",
            "message": "seq: expected 6",
            "details": {"field": "seq", "expected": "6"},
        },
    ]
    assert code == 0
    rows = await town.rows("SELECT kind FROM lane_events ORDER BY seq")
    assert [row["kind"] for row in rows] == [
        "presentation",
        "observation",
        "opened",
        "presentation",
        "passed",
    ]
    [command] = await town.rows("SELECT state FROM gate_commands")
    assert command == {"state": "accepted"}
    assert len(await town.rows("SELECT 1 FROM sessions")) == 1


async def test_it_is_not_let_in_with_another_gates_certificate(town: GateTown) -> None:
    async with town.bridge() as bridge:
        url = f"wss://127.0.0.1:{bridge.port}/gates"
        code, told = await play(town, url, await town.enrolled(town.lanes[1]))
    assert code == 1
    assert [record["event"] for record in told] == ["failed"]
    assert "403" in told[0]["error"] or "Forbidden" in told[0]["error"]
    assert await town.connections() == 0
