"""Correlation ids, other sites' pages, and compression."""

import gzip
from collections.abc import AsyncGenerator
from typing import Final

import orjson
import pytest

from api.config import COMPRESSED_BYTES_MIN
from api.graphql.compression import takes_gzip
from parking.kit.errors import InvalidInputError
from sesame.api_config import read_origins
from tests.factories.api import ApiWorld, open_api

ORIGIN: Final = "https://app.example"
STRANGER: Final = "https://evil.example"
GIVEN: Final = "shop-7f3a.2026_11"


@pytest.fixture
async def browsers(database_url: str, valkey_url: str) -> AsyncGenerator[ApiWorld]:
    async with open_api(database_url, valkey_url, cors_origins=(ORIGIN,)) as opened:
        yield opened


async def test_a_well_formed_correlation_id_is_taken_over(api: ApiWorld) -> None:
    response = await api.http.post(
        "/graphql", json={"query": "{ viewer { id } }"}, headers={"x-correlation-id": GIVEN}
    )
    assert response.headers["x-correlation-id"] == GIVEN
    assert [one["extensions"]["correlationId"] for one in response.json()["errors"]] == [GIVEN]


@pytest.mark.parametrize("given", ["short", "a" * 65, "with space", "line\tbreak", "ümlaut-12345"])
async def test_any_other_is_replaced(api: ApiWorld, given: str) -> None:
    response = await api.http.get("/healthz", headers=[(b"x-correlation-id", given.encode())])
    made = response.headers["x-correlation-id"]
    assert made != given
    assert len(made) == 32


@pytest.mark.parametrize("path", ["/graphql", "/healthz", "/nothing", "/receipts/x"])
async def test_every_answer_carries_one(api: ApiWorld, path: str) -> None:
    first, second = [await api.http.get(path) for _ in range(2)]
    assert first.headers["x-correlation-id"] != second.headers["x-correlation-id"]


async def test_a_defect_elsewhere_is_masked_and_has_its_id(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(*_: object) -> object:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("parking.flows.health.check", fail)
    with pytest.raises(RuntimeError):
        await api.http.get("/readyz", headers={"x-correlation-id": GIVEN})
    assert GIVEN in capsys.readouterr().out


def preflight(origin: str) -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }


async def test_a_configured_page_may_call(browsers: ApiWorld) -> None:
    asked = await browsers.http.options("/graphql", headers=preflight(ORIGIN))
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == ORIGIN
    assert asked.headers["access-control-allow-methods"] == "POST"
    assert "authorization" in asked.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in asked.headers
    called = await browsers.http.post(
        "/graphql", json={"query": "{ __typename }"}, headers={"origin": ORIGIN}
    )
    assert called.headers["access-control-allow-origin"] == ORIGIN
    assert called.headers["access-control-expose-headers"] == "retry-after, x-correlation-id"
    assert "Origin" in called.headers["vary"]


async def test_no_other_page_may_call(browsers: ApiWorld) -> None:
    asked = await browsers.http.options("/staff/graphql", headers=preflight(STRANGER))
    assert asked.status_code == 400
    assert "access-control-allow-origin" not in asked.headers
    called = await browsers.http.post(
        "/graphql", json={"query": "{ __typename }"}, headers={"origin": STRANGER}
    )
    assert "access-control-allow-origin" not in called.headers
    assert (await browsers.http.options("/graphql")).status_code == 405


async def test_no_page_may_call_where_none_is_configured(api: ApiWorld) -> None:
    asked = await api.http.options("/graphql", headers=preflight(ORIGIN))
    assert asked.status_code == 405
    assert not [name for name in asked.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origins", ["*", "null", "app.example", "https://a.example/", "https://*"])
def test_origins_are_named_one_by_one(origins: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_origins(f"{ORIGIN},{origins}")
    assert caught.value.field == "SESAME_CORS_ORIGINS"


async def raw(api: ApiWorld, query: str, accepted: str) -> tuple[dict[str, str], bytes]:
    """Return headers and the body as it travels."""
    async with api.http.stream(
        "POST", "/graphql", json={"query": query}, headers={"accept-encoding": accepted}
    ) as response:
        body = b"".join([part async for part in response.aiter_raw()])
    return dict(response.headers), body


async def test_large_answers_are_compressed_for_those_who_take_it(
    database_url: str, valkey_url: str
) -> None:
    large = "{ __schema { types { name description } } }"
    async with open_api(database_url, valkey_url, development=True) as api:
        plain, body = await raw(api, large, "identity")
        packed, squeezed = await raw(api, large, "br, gzip;q=0.5")
        small, _ = await raw(api, "{ __typename }", "gzip")
    assert len(body) > COMPRESSED_BYTES_MIN
    assert gzip.decompress(squeezed) == body
    assert len(squeezed) < len(body) / 2
    assert packed["content-encoding"] == "gzip"
    assert packed["content-length"] == str(len(squeezed))
    assert packed["vary"] == plain["vary"] == "accept-encoding"
    assert "content-encoding" not in {**plain, **small}
    assert orjson.loads(body)["data"]["__schema"]["types"]


@pytest.mark.parametrize(
    ("accepted", "is_taken"),
    [
        ("gzip", True),
        ("br, GZIP", True),
        ("*", True),
        ("gzip; q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("br", False),
        ("", False),
    ],
)
def test_who_takes_gzip(accepted: str, *, is_taken: bool) -> None:
    assert takes_gzip(accepted) is is_taken
