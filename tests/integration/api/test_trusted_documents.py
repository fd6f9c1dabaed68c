"""Trusted documents and automatic persisted queries, over HTTP, sockets and at the start."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from api.app import create_app
from api.config import ApiConfig
from parking.kit.errors import InvalidInputError
from sesame.commands.api import api_command
from tests.factories.api import ApiWorld, serve
from tests.factories.graphql_socket import signed_in_socket
from tests.integration.api.test_commands import environment, process_environment

__all__ = ["environment", "process_environment"]

ME: Final = "query Me { viewer { plates { text } } }"
ANSWER: Final = {"viewer": {"plates": [{"text": "京A88731"}]}}
OPERATION: Final = {"id": "me-1", "name": "Me", "type": "query", "body": ME}


def manifest(**changed: str) -> bytes:
    head = {"format": "apollo-persisted-query-manifest", "version": 1}
    return orjson.dumps({**head, "operations": [{**OPERATION, **changed}]})


def persisted(digest: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": digest}}


async def test_production_executes_trusted_documents_alone(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    config = ApiConfig(
        tokens=api.tokens, sms=api.sms, trusted_manifest=manifest(), trusted_only=True
    )
    async with (
        serve(create_app(api.lanes.context, config)) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as http,
        signed_in_socket(address, token) as client,
    ):
        headers = {"authorization": f"Bearer {token}"}
        for body in ({"documentId": "me-1"}, {"extensions": persisted("me-1")}, {"query": ME}):
            answer = await http.post("/graphql", json=body, headers=headers)
            assert answer.json() == {"data": ANSWER}
            await client.send({"id": "1", "type": "subscribe", "payload": body})
            assert await client.data() == ANSWER
            assert await client.next() == {"id": "1", "type": "complete"}
        refused = await http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        code = refused.json()["errors"][0]["extensions"]["code"]
        assert (refused.status_code, code) == (200, "QUERY_NOT_IN_SAFELIST")
        await client.subscribe("1", "{ __typename }")
        message = await client.next()
        assert message["payload"][0]["extensions"]["code"] == "QUERY_NOT_IN_SAFELIST"


async def test_an_automatic_persisted_query_over_http(api: ApiWorld) -> None:
    query = "{ __typename }"
    asked = {"extensions": persisted(sha256(query.encode()).hexdigest())}
    unknown = (await api.http.post("/graphql", json=asked)).json()["errors"][0]
    assert unknown["message"] == "PersistedQueryNotFound"
    assert unknown["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    data = {"data": {"__typename": "Query"}}
    assert (await api.http.post("/graphql", json={**asked, "query": query})).json() == data
    assert (await api.http.post("/graphql", json=asked)).json() == data
    other = await api.http.post("/graphql", json={**asked, "query": "{ viewer { id } }"})
    assert other.status_code == 400
    assert other.json()["errors"][0]["message"] == "provided sha does not match query"


async def test_the_cost_is_told_where_it_is_asked_for(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    asked = {"query": ME, "extensions": {"cost": True}}
    answer = await api.http.post(
        "/graphql", json=asked, headers={"authorization": f"Bearer {token}"}
    )
    assert answer.json()["extensions"] == {"cost": {"points": 6, "pointsMax": 20000}}


@pytest.mark.usefixtures("process_environment")
def test_a_bad_manifest_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "manifest.json"
    file.write_bytes(manifest(body="query Me { vewer { id } }"))
    with pytest.raises(InvalidInputError) as refused:
        api_command(port=1, trusted_documents=file)
    assert refused.value.field == "SESAME_TRUSTED_DOCUMENTS_FILE"
    assert refused.value.expected.startswith("operation Me: a valid body, and it says: Cannot")
    with pytest.raises(InvalidInputError, match="a readable file, No such file or directory"):
        api_command(port=1, trusted_documents=tmp_path / "none")
    monkeypatch.setenv("SESAME_TRUSTED_DOCUMENTS_ONLY", "true")
    with pytest.raises(InvalidInputError) as refused:
        api_command(port=1)
    assert refused.value.field == "SESAME_TRUSTED_DOCUMENTS_ONLY"
