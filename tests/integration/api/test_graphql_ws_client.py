"""Every case of graphql-transport-ws, through a client that nobody here wrote."""

import json
from typing import Any, Final

from api.global_ids import encode_id
from tests.factories.api import ApiWorld, serve
from tests.factories.node_peers import needs_peer, run_peer

pytestmark = needs_peer("graphql-ws")

EXPECTED: Final[dict[str, Any]] = {
    "a query, then complete": [1, "string", None],
    "a mutation": "InvalidInput",
    "a subscription that the client ends": ["SNAPSHOT", None],
    "two operations on one socket": [1, 1],
    "an error of a field comes as a result": [None, None],
    "a syntax error ends one operation": [0, True, "Query"],
    "an invalid document ends one operation": [0, True, "Query"],
    "an unknown operation ends one operation": [0, True, "Query"],
    "variables that do not fit end one operation": [0, True, "Query"],
    "a pong carries its ping's payload": {"type": "pong", "payload": {"a": 1}},
    "the client's keep-alive is answered": "pong",
    "nobody without a token": 4403,
    "no other protocol": 4406,
    "nothing before the greeting": 4401,
    "no second greeting": 4429,
    "no greeting with a wrong payload": 4400,
    "no id twice": 4409,
    "an id may be used again after complete": "next",
    "complete for nothing changes nothing": ["next", "complete"],
    "no JSON": 4400,
    "no object": 4400,
    "no known type": 4400,
    "no id": 4400,
    "no text as query": 4400,
    "no object as variables": 4400,
    "no binary frame": 4400,
    "the last operation closes the client's socket": 1000,
}


async def test_every_case_of_the_protocol(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    session = encode_id("Session", await api.lanes.drive_in())
    async with serve(api.app) as address:
        asked = {"url": f"ws://{address}/graphql", "token": token, "session": session}
        told = await run_peer("graphql_ws_cases.js", json.dumps(asked))
    assert told == EXPECTED
