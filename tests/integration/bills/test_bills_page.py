"""What docs/bills.md shows works, as it is written there."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from parking.flows.bills.checks import CheckName
from tests.factories.lane_world import SIGNER, LaneWorld
from tests.factories.receipts import bills_of, receipt_of

PAGE: Final = (Path(__file__).parents[3] / "docs" / "bills.md").read_text(encoding="utf-8")


async def test_the_snippet_checks_a_receipt_without_any_of_our_code(
    world: LaneWorld, tmp_path: Path
) -> None:
    [snippet] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert "parking." not in snippet
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=75)
    await world.drive_out()
    document = (await receipt_of(world, (await bills_of(world))[-1])).document()

    def run(file: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "check.py").write_text(snippet, encoding="utf-8")
        (tmp_path / "receipt.json").write_text(json.dumps(file), encoding="utf-8")
        (tmp_path / "keys.json").write_text(json.dumps(dict(SIGNER.key_set)), encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-W", "ignore", "check.py", "receipt.json", "keys.json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    proven = await asyncio.to_thread(run, document)
    assert (proven.stdout, proven.stderr) == ("Riverside Parking 1500 CNY signed\n", "")
    head, _, signature = str(document["receipt"]).rpartition(".")
    altered = ("A" if signature[0] != "A" else "B") + signature[1:]
    other = await asyncio.to_thread(run, document | {"receipt": f"{head}.{altered}"})
    assert "InvalidSignatureError" in other.stderr
    table = await asyncio.to_thread(run, document | {"rate_table": {"grace": 15}})
    assert "AssertionError" in table.stderr


def test_every_question_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", PAGE.partition("| question |")[2]))
    assert set(CheckName) <= explained
