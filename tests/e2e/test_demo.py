"""`sesame demo --once --json` as a newcomer runs it."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.servers import throwaway_folder

# A minute where nothing else runs.
DEADLINE_S: Final = 220.0
SCENARIOS: Final = {
    "bound_driver": "0.",
    "temporary_user": "by Alipay",
    "two_accounts": "by WeChat Pay",
    "declined_payment": "CNY by card",
    "lost_answer": "by ETC",
    "pay_later": "EUR by bank",
    "partner_place": "EUR by card at Neumarkt",
    "misread_plate": "0.",
    "pass_holder": "0.00 EUR",
    "contested_bill": "0.",
    "frozen_gate": "EUR",
    "own_devices": "EUR by card",
}
PROVIDERS: Final = {"acquirer", "wechat", "alipay", "stripe", "etc", "gocardless"}


async def run_demo(data: Path, *options: str) -> tuple[int, str, str]:
    """Run the command with nothing set; returns exit code, output and errors."""
    given = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sesame",
        "demo",
        "--data",
        str(data),
        *options,
        env=given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.mark.timeout(240)
async def test_demo_keeps_every_promise_once() -> None:
    with throwaway_folder() as data:
        code, output, errors = await run_demo(data, "--once", "--json")
    assert code == 0, f"{output}\n{errors}"
    report: dict[str, Any] = json.loads(output)
    assert report["passed"] is True
    scenarios = {one["name"]: one for one in report["scenarios"]}
    assert set(scenarios) == set(SCENARIOS)
    for name, part in SCENARIOS.items():
        assert (name, scenarios[name]["passed"], scenarios[name]["reason"]) == (name, True, None)
        assert part in scenarios[name]["facts"]["paid"]
    assert scenarios["bound_driver"]["facts"]["ticks"] >= 3
    assert scenarios["frozen_gate"]["facts"]["refused"] == "expired"
    assert scenarios["own_devices"]["facts"]["without_network"] == "open (fallback)"
    assert scenarios["pass_holder"]["facts"]["pass"] == "90.00 EUR"
    assert scenarios["pass_holder"]["facts"]["invoice"].endswith("-000001")
    assert scenarios["contested_bill"]["facts"]["refunded"].endswith(" CNY")
    assert scenarios["two_accounts"]["facts"]["declined"] == "by Alipay"
    assert scenarios["declined_payment"]["facts"]["taken_back_and_won"].endswith(" CNY")
    assert scenarios["pay_later"]["facts"]["credit"].endswith(" of 5.00 EUR")
    assert scenarios["partner_place"]["facts"]["settled"] == "by Elbe Parking"
    assert scenarios["misread_plate"]["facts"]["read_as"] not in {"", "None"}
    # Every lane is back, the two whose network was away among them.
    assert report["gates"]["lanes_total"] == 8
    assert report["gates"]["states"]["connected"] == 8
    books = report["books"]
    assert books["agree"] is True
    assert books["captured"] == books["held"]
    assert set(books["captured"]) == PROVIDERS
    assert books["receivable"] == {}
    assert set(books["ledger_sum"].values()) == {0}
    assert {day["provider"] for day in report["days"]} == PROVIDERS
    for day in report["days"]:
        assert (day["provider"], day["differences"]) == (day["provider"], {})
