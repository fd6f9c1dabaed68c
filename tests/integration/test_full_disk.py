"""A disk that is really full: nothing opens unwritten, and nothing is lost."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

SCRIPT = "tests.integration.full_disk_process"


async def test_on_a_full_disk_nothing_opens_and_nothing_is_lost(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", SCRIPT, str(tmp_path), stdout=PIPE, stderr=PIPE
    )
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    seen = json.loads(said.splitlines()[-1])
    # The camera is to send again, and an order that cannot be written down raises nothing.
    assert seen["full"] == [507, "not written", 0]
    # The car that left, and the next one, wait to be told; orders for either are refused.
    assert seen["car"] is False
    assert seen["written"] == [None, ["occupied"]]
    assert seen["room"] == [200, "accepted", 1]
    assert seen["stored"] == ["accepted", 0]
    assert seen["told"] == ["occupied", "cleared", "occupied", "B777"]
