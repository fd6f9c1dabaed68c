"""An app's tools on our schema: types are generated and compiled, and two clients run on them."""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Final

from api.global_ids import encode_id
from parking.drivers.rules import CODE_DIGITS
from parking.kit.ids import new_id
from tests.factories.api import ApiWorld, serve
from tests.factories.node_peers import PEER_S_MAX, needs_peer, run_peer

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs" / "api.md"
PHONE: Final = "+8613800138000"

pytestmark = needs_peer("@graphql-codegen/core")


async def run_client(api: ApiWorld, folder: Path, *arguments: str) -> dict[str, list[Any]]:
    """Run the compiled client, hand it the code of the text message; returns what it tells."""
    process = await asyncio.create_subprocess_exec(
        "node", "client.js", *arguments, cwd=folder, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    told: dict[str, list[Any]] = {}
    try:
        async with asyncio.timeout(PEER_S_MAX):
            async for line in process.stdout:
                said = json.loads(line)
                told.setdefault(said["step"], []).append(said["found"])
                if said["step"] == "code":
                    code = api.sms.messages[-1].text[:CODE_DIGITS]
                    process.stdin.write(f"{code}\n".encode())
            complaint = (await process.stderr.read()).decode()
            assert await process.wait() == 0, complaint
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return told


async def test_a_generated_client_compiles_and_runs(api: ApiWorld, tmp_path: Path) -> None:
    made = await run_peer("generate.js", str(ROOT / "schema.graphql"), str(PAGE), str(tmp_path))
    assert {"SignIn", "Parked", "PayNow", "Bills", "Follow"} <= set(made["operations"])
    # Every operation of the page compiles; only the client that reads what it did not ask for
    # does not.
    [complaint] = made["complaints"]
    assert complaint["file"] == "wrong.ts"
    assert complaint["message"].startswith("Property 'fingerprint' does not exist")
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    token = await api.token_of(driver_id)
    [stay] = await api.lanes.rows("SELECT id FROM sessions")
    ids = [encode_id("Session", key) for key in (stay["id"], new_id(api.lanes.clock.now()))]
    async with serve(api.app) as address:
        told = await run_client(api, tmp_path, address, PHONE, token, *ids)
    [first] = told.pop("apollo subscription")
    assert (first["__typename"], first["reason"]) == ("SessionUpdate", "SNAPSHOT")
    assert (first["session"]["id"], first["session"]["state"]) == (ids[0], "ACTIVE")
    assert api.lanes.provider.captured("CNY") == 1000
    assert told == {
        "code": [None],
        "urql error": [["UNAUTHENTICATED"]],
        "signed in": [[]],
        "urql query": [[1000]],
        "urql refusal": ["SESSION_UNKNOWN"],
        "apollo query": [[], []],
        # By its hash first; once the server knows the text, by the hash alone.
        "apollo sent": [["hash", "text", "hash"]],
        "apollo mutation": [
            ["SUCCEEDED", {"__typename": "Money", "amountMinor": 1000, "currency": "CNY"}]
        ]
        * 2,
    }
