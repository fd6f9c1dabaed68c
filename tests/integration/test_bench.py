"""The exit bench itself: a few cars through the real processes, and what it says about them."""

import asyncio
import json
import sys
from typing import Any

from sesame.bench.steps import STEPS
from tests.servers import throwaway_folder

TIMEOUT_S = 100


async def test_exit_bench_lets_cars_out_and_accounts_for_every_millisecond() -> None:
    code, report = await bench("exit", "--json", "--rate", "4", "--exits", "3")
    assert (code, report["is_right"]) == (0, True)
    cars, audit = 3 + report["warm_up_exits"], report["audit"]
    assert {name: audit[name] for name in ("exits", "left", "paid", "charged_once")} == {
        "exits": cars,
        "left": cars,
        "paid": cars,
        "charged_once": cars,
    }
    assert audit["ledger_sum_minor"] == 0
    assert audit["ledger_captured_minor"] == audit["provider_captured_minor"] > 0
    [run] = report["runs"]
    assert (run["rate_per_s"], run["exits"], run["opened"], run["measured"]) == (4.0, 3, 3, 3)
    assert (run["failures"], run["stale_orders"]) == ([], 0)
    assert tuple(run["steps_ms"]) == STEPS
    assert all(run["steps_ms"][step]["max"] > 0 for step in STEPS)
    parts_ms = sum(figures["mean"] for figures in run["steps_ms"].values())
    # Each figure is rounded to two digits.
    assert abs(parts_ms - run["frame_to_open_ms"]["mean"]) < 0.1
    without_ms = run["frame_to_open_without_provider_ms"]["mean"]
    assert abs(without_ms + run["steps_ms"]["charge"]["mean"] - parts_ms) < 0.1


async def bench(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a bench in memory, where no figure of it means anything but its parts still add up."""
    with throwaway_folder() as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sesame",
            "bench",
            *arguments,
            "--folder",
            str(folder),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                output, problems = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
    assert output, problems.decode()
    return process.returncode or 0, json.loads(output)
