"""`sesame up` as a process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx
import pytest

from sesame.embedded.folder import DataFolder
from tests.integration.embedded.starters import REPOSITORY
from tests.servers import fetch_value, valkey_client

UP: Final = "import typer; from sesame.commands.up import up_command; typer.run(up_command)"
WAIT_S: Final = 30.0


# The whole of `up` with one child in the place of the four processes and servers of the test.
UP_WITH_CHILD: Final = """
import sys, types, typer
import sesame.commands.up as up
from sesame.process_spec import AnsweringUrl, ProcessSpec
async def migrate(url):
    print("migrated", url, file=sys.stderr)
def one_child(installation):
    port = installation.environment["SESAME_API_PORT"]
    serve = f"from http.server import *; ThreadingHTTPServer(('127.0.0.1', {port}), " \
        "SimpleHTTPRequestHandler).serve_forever()"
    argv = (sys.executable, "-c", CHILD or serve)
    return (ProcessSpec("api", argv, installation.environment, AnsweringUrl(installation.api_url)),)
CHILD = sys.argv.pop()
sys.modules["sesame.commands.migrate"] = types.SimpleNamespace(migrate=migrate)
up.application_processes = one_child
typer.run(up.up_command)
"""


def start_up(
    root: Path, *arguments: str, program: str = UP, **settings: str
) -> subprocess.Popen[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL"}
    }
    return subprocess.Popen(
        [sys.executable, "-c", program, "--data", str(root), "--json", *arguments],
        cwd=REPOSITORY,
        env=environment | {"COLUMNS": "200"} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_up_reports_its_servers_refuses_a_twin_and_ends_on_sigterm(root: Path) -> None:
    with start_up(root, "--only-servers") as first:
        assert first.stdout is not None
        report = json.loads(first.stdout.readline())
        assert sorted(report) == ["api_url", "data", "database_url", "gates_url", "redis_url"]
        assert report["data"] == str(root)
        assert json.loads((root / "endpoints.json").read_text()) == report
        assert await fetch_value(report["database_url"], "SELECT 1") == 1
        with valkey_client(report["redis_url"]) as client:
            assert client.dbsize() == 0
        with start_up(root, "--only-servers") as second:
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


def test_up_migrates_starts_the_processes_and_ends_them(root: Path) -> None:
    named = {"DATABASE_URL": "postgresql://elsewhere/sesame", "REDIS_URL": "redis://elsewhere"}
    with start_up(root, "", program=UP_WITH_CHILD, **named) as up:
        assert up.stdout is not None
        report = json.loads(up.stdout.readline())
        assert report["database_url"] == named["DATABASE_URL"]
        assert httpx.get(report["api_url"]).status_code == httpx.codes.OK
        up.send_signal(signal.SIGTERM)
        assert up.communicate(timeout=WAIT_S) == ("", "migrated postgresql://elsewhere/sesame\n")
        assert up.returncode == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(report["api_url"])


def test_up_ends_with_the_log_of_a_process_that_does_not_start(root: Path) -> None:
    named = {"DATABASE_URL": "postgresql://elsewhere/sesame", "REDIS_URL": "redis://elsewhere"}
    broken = "raise SystemExit('no model')"
    with start_up(root, broken, program=UP_WITH_CHILD, **named) as up:
        output, complaint = up.communicate(timeout=WAIT_S)
    assert (up.returncode, output) == (1, "")
    assert "api ended before it was ready (status 1); the end of " in complaint
    assert complaint.endswith("no model\n")
