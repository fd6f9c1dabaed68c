"""Bodies that never end, or only begin: a connection is not held for them."""

import asyncio

import pytest

from api import body
from tests.factories.api import ApiWorld, serve
from tests.integration.api.test_pay_page import pay_path

WAIT_S = 10


async def trickle(address: str, path: str, *, content: bytes = b"{", length: int = 100) -> str:
    """Announce more than is sent; returns all that the server says until it closes."""
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {length}\r\n\r\n".encode() + content)
    try:
        async with asyncio.timeout(WAIT_S):
            return (await reader.read()).decode()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("path", ["/graphql", "/staff/graphql", "/callbacks/fake", "pay"])
async def test_a_body_that_does_not_come(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(body, "BODY_TIMEOUT_S", 0.05)
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    chosen = await pay_path(api) if path == "pay" else path
    async with serve(api.app) as address:
        answer = await trickle(address, chosen)
    assert answer.startswith("HTTP/1.1 408 ")
    assert "REQUEST_TIMEOUT" in answer or "body: expected all of it within 0.05 s" in answer
    assert "connection: close" in answer.lower()
    assert await api.lanes.count("payment_attempts") == 0


async def test_graphql_says_what_was_expected(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "BODY_TIMEOUT_S", 0.05)
    async with serve(api.app) as address:
        answer = await trickle(address, "/graphql")
    correlation_id = answer.partition("x-correlation-id: ")[2].partition("\r\n")[0]
    assert answer.endswith(
        '{"errors":[{"message":"body: expected all of it within 0.05 s",'
        f'"extensions":{{"code":"REQUEST_TIMEOUT","correlationId":"{correlation_id}"}}}}]}}'
    )
    assert correlation_id


async def test_a_large_body_is_not_waited_for(api: ApiWorld) -> None:
    async with serve(api.app) as address:
        for path in ("/graphql", "/callbacks/fake", "/pay/x"):
            answer = await trickle(address, path, length=70_000)
            assert answer.startswith("HTTP/1.1 413 ")


async def test_paying_with_a_large_body_starts_nothing(api: ApiWorld) -> None:
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    refused = await api.http.post(await pay_path(api), content=b"x" * 70_000)
    assert (refused.status_code, refused.text) == (413, "body: expected at most 65536 bytes")
    assert await api.lanes.count("payment_attempts") == 0


async def test_a_client_that_sends_before_it_reads_hears_why_its_body_is_too_large(
    api: ApiWorld,
) -> None:
    content = b"x" * (5 * 1024 * 1024)
    async with serve(api.app) as address:
        for path in ("/graphql", "/callbacks/fake", "/pay/x"):
            answer = await trickle(address, path, content=content, length=len(content))
            assert answer.startswith("HTTP/1.1 413 ")
