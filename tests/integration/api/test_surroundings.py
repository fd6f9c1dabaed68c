"""Health, metrics, headers and unknown addresses."""

import asyncio
from dataclasses import replace

import pytest

from api import app
from api.pages.pay import REFERRER_POLICY
from parking.events.bus import Bus
from parking.flows import health
from parking.kit.database import Database
from tests.factories.api import ApiWorld
from tests.factories.identity import VAULT


async def test_health(api: ApiWorld) -> None:
    response = await api.http.get("/healthz")
    assert (response.status_code, response.text) == (200, "ok")


async def test_readiness(api: ApiWorld) -> None:
    response = await api.http.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"ready": True, "database": True, "valkey": True}


async def test_metrics_count_by_route(api: ApiWorld) -> None:
    await api.send("{ __typename }")
    await api.http.get("/pay/some-token")
    await api.http.get("/no/such/place")
    text = (await api.http.get("/metrics")).text
    assert 'sesame_api_requests_total{route="/graphql",status="200"} 1.0' in text
    assert 'sesame_api_requests_total{route="/pay/{token}",status="404"} 1.0' in text
    assert 'sesame_api_requests_total{route="other",status="404"} 1.0' in text
    assert "some-token" not in text
    assert "sesame_api_sockets 0.0" in text


async def test_every_answer_carries_the_security_headers(api: ApiWorld) -> None:
    for path in ("/", "/healthz", "/graphql", "/pay/x", "/callbacks/x", "/nowhere"):
        headers = (await api.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        # A provider's page for phones has to see the site that a payer comes from, and no more.
        of_page = REFERRER_POLICY if path in {"/", "/pay/x"} else "no-referrer"
        assert headers["referrer-policy"] == of_page
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_readiness_says_what_is_missing(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_taken(*_: object) -> bool:
        return False

    monkeypatch.setattr(Bus, "publish", not_taken)
    response = await api.http.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": True, "valkey": False}
    away = Database("postgresql://x@127.0.0.1:1/x", clock=api.lanes.clock, vault=VAULT)
    found = await health.check(replace(api.lanes.context, database=away))
    assert found == health.Health(database=False, valkey=False)
    await away.close()


async def test_readiness_does_not_wait_for_ever(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(Bus, "publish", hang)
    monkeypatch.setattr(app, "READINESS_TIMEOUT_S", 0.01)
    response = await api.http.get("/readyz")
    assert (response.status_code, response.json()["reason"]) == (503, "timeout")
