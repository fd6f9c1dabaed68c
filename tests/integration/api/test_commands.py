"""`sesame api` as a process, `sesame schema` and `sesame staff`."""

import asyncio
import base64
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
import pytest
import typer
from typer.testing import CliRunner

from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from parking.kit.tokens import TokenIssuer
from sesame.commands.api import api_command
from sesame.commands.schema import schema_command
from sesame.commands.staff import staff_app
from sesame.embedded.ports import free_port
from tests.factories.graphql_socket import open_socket
from tests.factories.identity import TOKEN_KEY

WAIT_S: Final = 30
ROOT: Final = Path(__file__).parents[3]


@pytest.fixture
def environment(tmp_path: Path, database_url: str, valkey_url: str) -> dict[str, str]:
    key_file = tmp_path / "token_key.pem"
    key_file.write_bytes(TOKEN_KEY)
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": valkey_url,
        "SESAME_FIELD_KEY": base64.b64encode(b"f" * 32).decode(),
        "SESAME_INDEX_KEY": base64.b64encode(b"i" * 32).decode(),
        "SESAME_TOKEN_KEY_FILE": str(key_file),
        "SESAME_API_DRAIN_S": "0",
    }


async def start(environment: dict[str, str], *words: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sesame", *words, env=environment, cwd=ROOT, stdout=PIPE, stderr=PIPE
    )


@asynccontextmanager
async def served(environment: dict[str, str]) -> AsyncGenerator[tuple[Process, str]]:
    address = f"127.0.0.1:{free_port()}"
    process = await start(environment, "api", "--port", address.rpartition(":")[2])
    try:
        async with asyncio.timeout(WAIT_S), httpx.AsyncClient() as http:
            while not await is_ready(http, address):
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield process, address
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def is_ready(http: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await http.get(f"http://{address}/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_the_api_serves_and_ends_gracefully(environment: dict[str, str]) -> None:
    async with served(environment) as (process, address):
        async with httpx.AsyncClient(base_url=f"http://{address}") as http:
            answer = await http.post("/graphql", json={"query": "{ __typename }"})
            assert answer.json() == {"data": {"__typename": "Query"}}
            assert "server" not in answer.headers
            # Without a gateway a code cannot be sent, and the refusal says so.
            query = """mutation { requestSignInCode(input: {phoneNumber: "+4915112345678"}) {
                ... on Refused { code retryable } } }"""
            answer = await http.post("/graphql", json={"query": query})
            refused = {"code": "SMS_NOT_SENT", "retryable": True}
            assert answer.json() == {"data": {"requestSignInCode": refused}}
        async with open_socket(address) as client:
            await client.send({"type": "ping"})
            assert await client.next() == {"type": "pong"}
            process.send_signal(signal.SIGTERM)
            assert (await client.closed())[0] == 1012
        async with asyncio.timeout(WAIT_S):
            assert await process.wait() == 0


@pytest.fixture
def process_environment(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process one that `sesame up` would have started."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("process_environment")
def test_the_api_says_which_setting_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "SESAME_INDEX_KEY", "SESAME_TOKEN_KEY_FILE"):
        with monkeypatch.context() as changed:
            changed.delenv(name)
            with pytest.raises(InvalidInputError) as refused:
                api_command(port=1)
        assert refused.value.field == name


@pytest.mark.usefixtures("process_environment")
def test_a_token_key_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SESAME_TOKEN_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(InvalidInputError, match="a readable file, No such file or directory"):
        api_command(port=1)


@pytest.mark.usefixtures("process_environment")
def test_a_staff_token() -> None:
    operator = UUID(int=7)
    words = ["token", "--operator", str(operator), "--name", "Ada"]
    printed = json.loads(CliRunner().invoke(staff_app, [*words, "--json"]).stdout)
    issuer = TokenIssuer(TOKEN_KEY, clock=SystemClock())
    identity = issuer.verify_staff(printed["token"])
    assert (identity.operator_id, identity.name) == (operator, "Ada")
    assert identity.expires_at.isoformat() == printed["expires_at"]
    plain = CliRunner().invoke(staff_app, words).stdout
    assert issuer.verify_staff(plain.strip()).name == "Ada"
    for name in (" ", "x" * 81, "A\nB"):
        refused = CliRunner().invoke(staff_app, [*words[:-1], name])
        assert isinstance(refused.exception, InvalidInputError)


def test_the_committed_schema_is_the_one_of_the_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = ROOT / "schema.graphql"
    schema_command(output=committed, check=True)
    stale = tmp_path / "schema.graphql"
    stale.write_text("type Query { old: Int }\n", encoding="utf-8")
    for output in (stale, tmp_path / "missing.graphql"):
        with pytest.raises(typer.Exit) as ended:
            schema_command(output=output, check=True)
        assert ended.value.exit_code == 1
        told = capsys.readouterr().err
        assert told == f"{output}: expected the schema of the code; run `sesame schema`\n"
    schema_command(output=stale)
    assert stale.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")
    schema_command(staff=True, output=stale)
    assert "setCreditPolicy(" in stale.read_text(encoding="utf-8")
