"""`sesame retention`: what it says, and that only `--apply` changes anything."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from parking.flows.retention.kinds import KINDS
from sesame.commands.retention import retention_command
from tests.servers import Administrator, execute

APP = typer.Typer()
APP.command()(retention_command)
OLD = (
    "INSERT INTO request_counts (key, requests, window_started_at) "
    "SELECT gen_random_uuid(), 1, now() - interval '8 days' FROM generate_series(1, 3)"
)


def invoke(*words: str) -> Result:
    return CliRunner().invoke(APP, words)


def run(*words: str) -> Any:  # noqa: ANN401 - JSON
    result = invoke(*words, "--json")
    assert result.exit_code == 0, result.output
    # What is logged goes elsewhere once a command is started by itself.
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.usefixtures("command_settings")
def test_it_says_what_is_due_and_lets_it_go_when_asked(
    administrator: Administrator,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    administrator.wait_for(execute(database_url, OLD))
    for words in ((), ("--dry-run",)):
        told = run(*words)
        assert (told["applied"], told["done"]) == (False, {})
        tables = {one["table"]: one for one in told["tables"]}
        assert (tables["request_counts"]["rows"], tables["request_counts"]["due"]) == (3, 3)
        every = sum(len(kind.rules) for kind in KINDS)
        assert len(tables) == (1 if words else every)
    shown = invoke("--dry-run").stdout.splitlines()
    assert shown[0].split() == ["kind", "table", "days", "rows", "oldest", "due", "then"]
    assert shown[1].split()[:4] == ["request_counters", "request_counts", "7", "3"]
    file = tmp_path / "retention.toml"
    file.write_text("[days]\nrequest_counters = 9\n", encoding="utf-8")
    monkeypatch.setenv("SESAME_RETENTION_FILE", str(file))
    assert run("--dry-run")["tables"] == []
    assert run("--apply")["done"] == {}
    monkeypatch.delenv("SESAME_RETENTION_FILE")
    assert run("--apply")["done"] == {"request_counts": 3}
    assert invoke("--apply").stdout.splitlines()[-1] == "nothing was due"


@pytest.mark.usefixtures("command_settings")
def test_it_refuses_a_period_below_its_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "retention.toml"
    file.write_text("[days]\ntax_records = 365\n", encoding="utf-8")
    monkeypatch.setenv("SESAME_RETENTION_FILE", str(file))
    refused = invoke()
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "days.tax_records: 3653 to 36530 days" in refused.stderr.replace("\n", " ")
    assert invoke("--apply", "--dry-run").exit_code == 2
