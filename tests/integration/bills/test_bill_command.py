"""`sesame bill` as a person calls it."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from api.global_ids import encode_id
from parking.kit.errors import InvalidInputError
from parking.payments.errors import BillUnknownError
from parking.payments.models import Bill
from sesame.commands.bill import bill_app
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.receipts import bills_of

ROOT: Final = Path(__file__).parents[3]


@pytest.fixture
async def bill(
    world: LaneWorld,
    tmp_path: Path,
    database_url: str,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Bill:
    """A paid bill, in a process that `sesame up` would have started."""
    key = Ed25519PrivateKey.from_private_bytes(b"r" * 32).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "receipt_key.pem").write_bytes(key)
    for name, value in {
        "DATABASE_URL": database_url,
        "REDIS_URL": valkey_url,
        "SESAME_FIELD_KEY": base64.b64encode(b"f" * 32).decode(),
        "SESAME_INDEX_KEY": base64.b64encode(b"i" * 32).decode(),
        "SESAME_RECEIPT_KEY_FILE": str(tmp_path / "receipt_key.pem"),
        "COLUMNS": "160",
    }.items():
        monkeypatch.setenv(name, value)
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=75)
    assert (await world.drive_out()).action == "open"
    return (await bills_of(world))[-1]


async def sesame_bill(*words: str) -> Result:
    # In a thread: the command runs an event loop of its own.
    return await asyncio.to_thread(CliRunner().invoke, bill_app, words)


async def printed(*words: str) -> dict[str, Any]:
    result = await sesame_bill(*words)
    return json.loads(result.stdout)


async def test_a_bill_is_proven_and_shown(bill: Bill) -> None:
    told = await printed("verify", str(bill.id), "--json")
    assert told["verified"] is True
    assert told["first_problem"] is None
    assert {check["ok"] for check in told["checks"]} == {True}
    assert told["checks"][-1]["name"] == "receipt"
    assert told["checks"][-1]["words"].startswith("its receipt is signed")
    assert told["lines"] == [bill.lines[0] | {"same": True}]
    by_api_id = encode_id("Bill", bill.operator_id, bill.id)
    result = await sesame_bill("verify", by_api_id)
    assert result.exit_code == 0
    assert "✓ Verified." in result.stdout
    assert "all day, increment, 3 x 30 min" in result.stdout
    shown = await printed("show", str(bill.id), "--json")
    assert shown["basis"] == bill.basis
    assert shown["lines"] == bill.lines
    result = await sesame_bill("show", str(bill.id))
    assert "15.00 CNY" in result.stdout
    for output in (result.stdout, json.dumps(told)):
        assert PLATE not in output


async def test_a_bill_that_differs_ends_with_1_and_names_the_line(
    bill: Bill, world: LaneWorld
) -> None:
    body = "jsonb_set(body, '{collections,0,lines,0,value}', '400')"
    await world.rows_changed(f"UPDATE rate_tables SET body = {body}")  # noqa: S608
    result = await sesame_bill("verify", str(bill.id))
    assert result.exit_code == 1
    assert "✗ Not verified: rate table, the rate table is not the one" in result.stdout
    told = await printed("verify", str(bill.id), "--json")
    lines = next(check for check in told["checks"] if check["name"] == "lines")
    assert lines["words"].startswith("line 1 of 1 differs, increment from ")
    assert (lines["expected"], lines["found"]) == (
        "block_amount_minor 400",
        "block_amount_minor 500",
    )


async def test_anybody_proves_a_receipt_without_settings_or_servers(
    bill: Bill, tmp_path: Path
) -> None:
    receipt, keys = tmp_path / "receipt.json", tmp_path / "keys.json"
    receipt.write_text((await sesame_bill("receipt", str(bill.id))).stdout, encoding="utf-8")
    keys.write_text((await sesame_bill("keys")).stdout, encoding="utf-8")
    assert PLATE not in receipt.read_text(encoding="utf-8")
    bare = {"PATH": os.environ["PATH"], "COLUMNS": "120"}
    words = ["-m", "sesame", "bill", "verify", "--receipt", str(receipt)]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words, *more],
            env=bare,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    proven = await asyncio.to_thread(run, "--keys", str(keys), "--json")
    assert proven.returncode == 0, proven.stderr
    assert json.loads(proven.stdout)["verified"] is True
    unsigned = await asyncio.to_thread(run)
    assert unsigned.returncode == 1
    assert "✗ Not verified: receipt, nobody's signature was checked" in unsigned.stdout
    document = json.loads(receipt.read_text(encoding="utf-8"))
    document["rate_table"]["grace"] = 15
    receipt.write_text(json.dumps(document), encoding="utf-8")
    altered = await sesame_bill("verify", "--receipt", str(receipt), "--keys", str(keys), "--json")
    assert altered.exit_code == 1
    assert json.loads(altered.stdout)["first_problem"]["name"] == "rate_table"


async def test_a_forged_receipt_does_not_write_to_the_terminal(bill: Bill, tmp_path: Path) -> None:
    file = json.loads((await sesame_bill("receipt", str(bill.id))).stdout)
    head, body, signature = file["receipt"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    claims["operator"]["name"] = claims["lines"][0]["note"] = "\x1b[2J\x1b]0;Verified\x07"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    path = tmp_path / "forged.json"
    path.write_text(json.dumps(file | {"receipt": f"{head}.{forged}.{signature}"}))
    result = await sesame_bill("verify", "--receipt", str(path))
    assert result.exit_code == 1
    assert "\x1b" not in result.stdout
    assert "?[2J?]0;Verified?" in result.stdout
    # One that is not 7 bits wide begins a sequence too.
    claims["lines"][0]["note"] = "\x9b2J"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    path.write_text(json.dumps(file | {"receipt": f"{head}.{forged}.{signature}"}))
    result = await sesame_bill("verify", "--receipt", str(path), "--json")
    assert result.exit_code == 1
    assert result.stdout.isascii()
    assert json.loads(result.stdout)["lines"][0]["note"] == "\x9b2J"


async def test_what_cannot_be_meant_is_refused(bill: Bill, tmp_path: Path) -> None:
    for words, field in [
        (["verify"], "bill_id"),
        (["verify", "x"], "bill_id"),
        (["show", encode_id("Session", bill.id)], "bill_id"),
        (["verify", str(bill.id), "--keys", __file__], "keys"),
        (["verify", "--receipt", __file__, "--keys", __file__], "keys"),
    ]:
        error = (await sesame_bill(*words)).exception
        assert isinstance(error, InvalidInputError), words
        assert error.field == field
    assert isinstance((await sesame_bill("verify", str(uuid4()))).exception, BillUnknownError)
    private = tmp_path / "private.json"
    private.write_text(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "d": "x"}]}))
    error = (await sesame_bill("verify", "--receipt", __file__, "--keys", str(private))).exception
    assert isinstance(error, InvalidInputError)
    assert error.field == "keys.keys[0].d"


async def test_every_command_has_help() -> None:
    for name in ("verify", "show", "receipt", "keys"):
        result = await sesame_bill(name, "--help")
        assert result.exit_code == 0
        assert "Usage" in result.stdout
