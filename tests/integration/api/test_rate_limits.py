"""How much a driver, a stranger and the staff may ask for."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
from redis.exceptions import ConnectionError as ValkeyAwayError

from api import limits
from api.config import Rate, Rates
from api.limits import RateLimiter
from tests.factories.api import ApiWorld, open_api, serve
from tests.factories.graphql_socket import signed_in_socket

# A document that is not known costs eleven points to read; each request one, and one an object.
RATES: Final = Rates(person=Rate(31, 2), address=Rate(25, 1))
ME: Final = "{ viewer { id } }"


@pytest.fixture
async def api(
    database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[ApiWorld]:
    monkeypatch.setattr(limits, "LEASE_POINTS", 1)
    async with open_api(database_url, valkey_url, rates=RATES) as opened:
        yield opened


async def ask_until_refused(api: ApiWorld, token: str | None = None) -> tuple[int, Any]:
    """Return how often it was answered, and the refusal."""
    for answered in range(100):
        response = await api.send(ME, token=token)
        if response.status_code != 200:
            return answered, response
    raise AssertionError


async def test_a_driver_is_told_when_to_come_back(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    _, other = await api.add_driver("京B12345")
    answered, refusal = await ask_until_refused(api, token)
    # 31 points: 11 to read the document, and 2 a time.
    assert answered == 10
    assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "1")
    [error] = refusal.json()["errors"]
    assert error["message"] == "too much was asked for; try again in 1 s"
    assert (error["extensions"]["code"], error["extensions"]["retryAfterS"]) == ("RATE_LIMITED", 1)
    assert (await api.send(ME, token=other)).status_code == 200
    api.lanes.wait(seconds=1)
    assert [(await api.send(ME, token=token)).status_code for _ in range(2)] == [200, 429]


async def test_strangers_of_one_address_share_its_points(api: ApiWorld) -> None:
    answered, refusal = await ask_until_refused(api)
    assert (answered, refusal.headers["retry-after"]) == (7, "2")
    _, token = await api.add_driver()
    assert (await api.send(ME, token="forged")).status_code == 429
    assert (await api.send(ME, token=token)).status_code == 200


async def test_what_is_refused_is_counted_too(api: ApiWorld) -> None:
    unknown = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    codes: list[str] = []
    for _ in range(26):
        response = await api.http.post("/graphql", json={"extensions": unknown})
        codes.append(response.json()["errors"][0]["extensions"]["code"])
    assert codes == ["PERSISTED_QUERY_NOT_FOUND"] * 25 + ["RATE_LIMITED"]


async def test_staff_have_points_of_their_own(api: ApiWorld) -> None:
    token, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    statuses = [
        (await api.send("{ __typename }", token=token, path="/staff/graphql")).status_code
        for _ in range(21)
    ]
    assert statuses == [200] * 20 + [429]


async def test_a_socket_takes_from_the_same_points(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    answered, _ = await ask_until_refused(api, token)
    assert answered == 10
    async with serve(api.app) as address, signed_in_socket(address, token) as client:
        await client.subscribe("1", ME)
        message = await client.next()
        assert (message["type"], message["id"]) == ("error", "1")
        extensions = message["payload"][0]["extensions"]
        assert (extensions["code"], extensions["retryAfterS"]) == ("RATE_LIMITED", 1)
        api.lanes.wait(seconds=1)
        await client.subscribe("1", ME)
        assert "viewer" in await client.data()


async def test_processes_share_a_bucket(api: ApiWorld) -> None:
    buckets, clock = api.lanes.context.bus.buckets, api.lanes.clock
    first, second = (RateLimiter(buckets, clock, RATES) for _ in range(2))
    await first.charge("driver:x", 20, RATES.person)
    with pytest.raises(limits.RequestRefusedError):
        await second.charge("driver:x", 12, RATES.person)
    await second.charge("driver:x", 11, RATES.person)


async def test_a_lease_spares_valkey_most_calls(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEASE_POINTS", 500)
    buckets, rate = api.lanes.context.bus.buckets, Rate(10_000, 1)
    asked: list[int] = []
    take = buckets.take

    async def count(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever it takes
        asked.append(named["wanted"])
        return await take(*given, **named)

    monkeypatch.setattr(buckets, "take", count)
    limiter = RateLimiter(buckets, api.lanes.clock, RATES)
    for _ in range(501):
        await limiter.charge("driver:x", 2, rate)
    assert asked == [500, 500, 500]
    api.lanes.wait(seconds=limits.LEASE_S)
    await limiter.charge("driver:x", 2, rate)
    assert len(asked) == 4


async def test_requests_that_come_at_once_take_one_lease(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEASE_POINTS", 500)
    buckets, clock, rate = api.lanes.context.bus.buckets, api.lanes.clock, Rate(5000, 1)
    limiter = RateLimiter(buckets, clock, RATES)
    # What is held when they come counts once, too.
    await limiter.charge("driver:x", 497, rate)
    await asyncio.gather(*(limiter.charge("driver:x", 5, rate) for _ in range(20)))
    assert limiter._leases["driver:x"].points == 498  # pyright: ignore[reportPrivateUsage]
    # Another process has all the rest.
    other = RateLimiter(buckets, clock, RATES)
    await other.charge("driver:x", 5000 - 497 - 20 * 5 - 498, rate)
    with pytest.raises(limits.RequestRefusedError):
        await other.charge("driver:x", 1, rate)


async def test_without_valkey_each_process_counts_for_itself(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = api.lanes.context.bus.buckets
    asked: list[int] = []

    async def away(*_: object) -> object:
        asked.append(1)
        raise ValkeyAwayError

    monkeypatch.setattr(buckets._redis, "eval", away)  # pyright: ignore[reportPrivateUsage]
    _, token = await api.add_driver()
    answered, refusal = await ask_until_refused(api, token)
    assert (answered, refusal.headers["retry-after"]) == (10, "1")
    # It is left alone for a while instead of being waited for by each request.
    assert len(asked) < 3
    api.lanes.wait(seconds=1)
    assert (await api.send(ME, token=token)).status_code == 200


async def test_a_valkey_that_does_not_answer_holds_nobody_up(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> object:
        await asyncio.Event().wait()
        return None

    monkeypatch.setattr("parking.events.buckets.TIMEOUT_S", 0.01)
    monkeypatch.setattr(api.lanes.context.bus.buckets._redis, "eval", hang)  # pyright: ignore[reportPrivateUsage]
    _, token = await api.add_driver()
    assert (await api.send(ME, token=token)).status_code == 200


async def test_the_number_of_leases_is_bounded(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEASES_MAX", 3)
    limiter = RateLimiter(api.lanes.context.bus.buckets, api.lanes.clock, RATES)
    for number in range(5):
        await limiter.charge(f"address:{number}", 1, RATES.address)
    assert len(limiter._leases) == 3  # pyright: ignore[reportPrivateUsage]
