"""Clients from npm, which nobody here wrote."""

import asyncio
import json
import os
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Final

import pytest

PEERS: Final = Path(__file__).parents[1] / "peers"
PEER_S_MAX: Final = 60


def needs_peer(package: str) -> pytest.MarkDecorator:
    """Skip where the package is not installed; in CI it has to be."""
    is_there = shutil.which("node") is not None and (PEERS / "node_modules" / package).exists()
    return pytest.mark.skipif(
        not is_there and os.environ.get("CI") != "true",
        reason="needs node, and `npm ci` in tests/peers, which `make test` runs where npm is there",
    )


async def run_peer(script: str, *arguments: str) -> Any:  # noqa: ANN401 - JSON
    """Run a script of tests/peers; returns the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        "node", str(PEERS / script), *arguments, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(PEER_S_MAX):
            told, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaint.decode()
    return json.loads(told)
