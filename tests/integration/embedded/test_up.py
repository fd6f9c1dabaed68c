"""`sesame up` as a process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from sesame.embedded.folder import DataFolder
from tests.integration.embedded.starters import REPOSITORY
from tests.servers import fetch_value, valkey_client

UP: Final = "import typer; from sesame.commands.up import up_command; typer.run(up_command)"
WAIT_S: Final = 30.0


def start_up(root: Path) -> subprocess.Popen[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL"}
    }
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", UP, "--data", str(root), "--only-servers", "--json"],
        cwd=REPOSITORY,
        env=environment | {"COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_up_reports_its_servers_refuses_a_twin_and_ends_on_sigterm(root: Path) -> None:
    with start_up(root) as first:
        assert first.stdout is not None
        report = json.loads(first.stdout.readline())
        assert sorted(report) == ["api_url", "data", "database_url", "gates_url", "redis_url"]
        assert report["data"] == str(root)
        assert json.loads((root / "endpoints.json").read_text()) == report
        assert await fetch_value(report["database_url"], "SELECT 1") == 1
        with valkey_client(report["redis_url"]) as client:
            assert client.dbsize() == 0
        with start_up(root) as second:
            output, complaint = second.communicate(timeout=WAIT_S)
        assert (second.returncode, output) == (1, "")
        assert f"the data folder {root} is in use by process {first.pid}" in complaint
        first.send_signal(signal.SIGTERM)
        assert first.communicate(timeout=WAIT_S) == ("", "")
        assert first.returncode == 0
    assert not (root / "endpoints.json").exists()
    # The servers hold the lock too: that it is free means that they have ended.
    with DataFolder(root) as folder:
        assert folder.lock_descriptor > 0
