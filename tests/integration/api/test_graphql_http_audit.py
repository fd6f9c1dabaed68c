"""The audit suite of npm `graphql-http` against our server."""

from typing import Final

from tests.factories.api import open_api, serve
from tests.factories.node_peers import needs_peer, run_peer

pytestmark = needs_peer("graphql-http")

AUDITS: Final = 61
# What production leaves out: GET, and introspection, which two audits use to send variables.
CLOSED: Final = {"5A70", "D6D5", "6A70", "28B9", "2EA1"}


async def test_an_open_build_passes_every_audit(database_url: str, valkey_url: str) -> None:
    async with (
        open_api(database_url, valkey_url, development=True) as api,
        serve(api.app) as address,
    ):
        audits = await run_peer("graphql_http_audit.js", f"http://{address}/graphql")
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) == AUDITS


async def test_production_fails_only_what_it_leaves_out(database_url: str, valkey_url: str) -> None:
    async with open_api(database_url, valkey_url) as api, serve(api.app) as address:
        audits = await run_peer("graphql_http_audit.js", f"http://{address}/graphql")
    assert {audit["id"] for audit in audits if audit["status"] != "ok"} == CLOSED
