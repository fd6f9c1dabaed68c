"""`sesame api`, `sesame schema` and `sesame staff` as processes."""

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

from parking.drivers.tokens import TokenIssuer
from parking.kit.clock import SystemClock
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
    }


async def start(environment: dict[str, str], *words: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sesame", *words, env=environment, cwd=ROOT, stdout=PIPE, stderr=PIPE
    )


async def run(environment: dict[str, str], *words: str) -> tuple[int | None, str, str]:
    process = await start(environment, *words)
    async with asyncio.timeout(WAIT_S):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


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


async def test_the_api_says_which_setting_is_missing(environment: dict[str, str]) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "SESAME_INDEX_KEY", "SESAME_TOKEN_KEY_FILE"):
        without = {key: value for key, value in environment.items() if key != name}
        code, _, err = await run(without, "api", "--port", "1")
        assert code == 1
        assert err.splitlines() == [
            f"{name}: expected a value in the environment; `sesame up` sets one"
        ]


async def test_a_staff_token(environment: dict[str, str]) -> None:
    operator = UUID(int=7)
    words = ("staff", "token", "--operator", str(operator), "--name", "Ada", "--json")
    code, out, _ = await run(environment, *words)
    assert code == 0
    printed = json.loads(out)
    identity = TokenIssuer(TOKEN_KEY, clock=SystemClock()).verify_staff(printed["token"])
    assert (identity.operator_id, identity.name) == (operator, "Ada")
    assert identity.expires_at.isoformat() == printed["expires_at"]


async def test_the_committed_schema_is_the_one_of_the_code(
    environment: dict[str, str], tmp_path: Path
) -> None:
    code, _, err = await run(environment, "schema", "--check")
    assert (code, err) == (0, "")
    stale = tmp_path / "schema.graphql"
    stale.write_text("type Query { old: Int }\n", encoding="utf-8")
    code, _, err = await run(environment, "schema", "--check", "--output", str(stale))
    assert code == 1
    assert err == f"{stale}: expected the schema of the code; run `sesame schema`\n"
    code, _, _ = await run(environment, "schema", "--output", str(stale))
    assert code == 0
    committed = (ROOT / "schema.graphql").read_text(encoding="utf-8")
    assert stale.read_text(encoding="utf-8") == committed
