"""What every fapiao service must do: the fake, and the adapter against the stand-in's wire."""

import hashlib
import hmac
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import httpx
import pytest

from parking.invoices.fapiao.adapter import FapiaoSettings, HttpFapiaoService
from parking.invoices.fapiao.fake import FakeFapiaoService
from parking.invoices.fapiao.port import (
    FapiaoApplication,
    FapiaoLine,
    FapiaoResult,
    FapiaoService,
    FapiaoStatus,
)
from parking.invoices.parties import EMAIL_LENGTH_MAX, NAME_LENGTH_MAX
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.errors import InvalidInputError
from sesame.sandbox.fapiao import FapiaoStandIn

SECRET: Final = "s" * 32
BASE_URL: Final = "https://fapiao.example"
SETTINGS: Final = FapiaoSettings(base_url=BASE_URL, account="sesame", secret=SECRET)
BLUE: Final = FapiaoApplication(
    number="0" * 31 + "1",
    seller_name="河畔停车管理有限公司",
    seller_tax_number="91110000600037341L",
    title="某某科技有限公司",
    title_tax_number="91110000600037341L",
    email="finance@example.cn",
    currency="CNY",
    lines=(FapiaoLine("车辆停放服务, 河畔", 900, 917, 83, 1000),),
)
RED: Final = replace(
    BLUE,
    number="0" * 31 + "2",
    red_of=BLUE.number,
    reason="退款",
    lines=(FapiaoLine("车辆停放服务, 河畔", 900, 367, 33, 400),),
)


@dataclass
class Stage:
    """A service, and the books behind it."""

    service: FapiaoService
    books: FakeFapiaoService
    clock: ManualClock


def adapter(stand_in: FapiaoStandIn, clock: ManualClock, **changes: str) -> HttpFapiaoService:
    transport = httpx.ASGITransport(stand_in.app, client=("127.0.0.1", 50000))
    return HttpFapiaoService(replace(SETTINGS, **changes), clock, transport=transport)


@pytest.fixture(params=["fake", "wire"])
async def stage(request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    clock = ManualClock(SystemClock().now())
    if request.param == "fake":
        fake = FakeFapiaoService(clock)
        yield Stage(fake, fake, clock)
        return
    stand_in = FapiaoStandIn("sesame", SECRET, clock, public_url=BASE_URL)
    stand_in.service.issues_on_query = False
    service = adapter(stand_in, clock)
    yield Stage(service, stand_in.service, clock)
    await service.aclose()


async def test_an_application_is_taken_and_later_issued(stage: Stage) -> None:
    assert await stage.service.apply(BLUE) == FapiaoResult(BLUE.number, FapiaoStatus.APPLIED)
    assert (await stage.service.query(BLUE.number)).status == FapiaoStatus.APPLIED
    stage.books.issue(BLUE.number)
    result = await stage.service.query(BLUE.number)
    assert (result.status, result.fapiao_number) == (FapiaoStatus.ISSUED, "26000000000000000001")
    assert result.pdf_url is not None
    assert result.pdf_url.startswith("https://fapiao.example/")
    assert result.issued_at == stage.clock.now()


async def test_the_longest_that_a_buyer_may_give_is_taken(stage: Stage) -> None:
    email = "a" * (EMAIL_LENGTH_MAX - len("@example.cn")) + "@example.cn"
    application = replace(BLUE, title="某" * NAME_LENGTH_MAX, email=email)
    assert (await stage.service.apply(application)).status == FapiaoStatus.APPLIED


async def test_an_address_that_no_database_keeps_is_no_answer(clock: ManualClock) -> None:
    stand_in = FapiaoStandIn("sesame", SECRET, clock, public_url=f"{BASE_URL}/\x00")
    service = adapter(stand_in, clock)
    await service.apply(BLUE)
    result = await service.query(BLUE.number)
    assert (result.status, result.failure_code) == (FapiaoStatus.UNKNOWN, "answer_mismatch")
    await service.aclose()


async def test_the_same_number_is_applied_for_once(stage: Stage) -> None:
    await stage.service.apply(BLUE)
    stage.books.issue(BLUE.number)
    assert (await stage.service.apply(BLUE)).status == FapiaoStatus.ISSUED
    assert len(stage.books.books) == 1


async def test_the_same_number_for_something_else_says_nothing(stage: Stage) -> None:
    await stage.service.apply(BLUE)
    result = await stage.service.apply(replace(BLUE, title="别人"))
    assert (result.status, result.failure_code) == (FapiaoStatus.UNKNOWN, "number_conflict")
    assert stage.books.books[BLUE.number].application == BLUE


async def test_a_number_that_never_arrived_is_not_found(stage: Stage) -> None:
    assert await stage.service.query(BLUE.number) == FapiaoResult(
        BLUE.number, FapiaoStatus.NOT_FOUND
    )


async def test_a_refusal_is_definitive(stage: Stage) -> None:
    await stage.service.apply(BLUE)
    stage.books.fail(BLUE.number, "title_refused")
    result = await stage.service.query(BLUE.number)
    assert (result.status, result.failure_code) == (FapiaoStatus.FAILED, "title_refused")


async def test_red_takes_from_what_is_issued_and_never_more(stage: Stage) -> None:
    assert (await stage.service.apply(RED)).failure_code == "red_of_unknown"
    await stage.service.apply(BLUE)
    stage.books.issue(BLUE.number)
    for index, status in ((3, FapiaoStatus.APPLIED), (4, FapiaoStatus.APPLIED)):
        red = replace(RED, number=f"{index:032x}")
        assert (await stage.service.apply(red)).status == status
    result = await stage.service.apply(replace(RED, number=f"{5:032x}"))
    assert (result.status, result.failure_code) == (FapiaoStatus.FAILED, "red_too_much")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SystemClock().now())


async def test_the_stand_in_believes_only_its_own_secret_account_and_time(
    clock: ManualClock,
) -> None:
    stand_in = FapiaoStandIn("sesame", SECRET, clock, public_url=BASE_URL)
    late = ManualClock(clock.now() - timedelta(minutes=6))
    for service in (
        adapter(stand_in, clock, secret="x" * 32),
        adapter(stand_in, clock, account="other"),
        adapter(stand_in, late),
    ):
        assert (await service.apply(BLUE)).status == FapiaoStatus.UNKNOWN
    assert stand_in.service.books == {}


def answering(
    change: Callable[[bytes, httpx.Headers], tuple[bytes, dict[str, str]]], stand_in: FapiaoStandIn
) -> httpx.AsyncBaseTransport:
    """Return the stand-in's transport with its answers changed on the way."""
    inner = httpx.ASGITransport(stand_in.app, client=("127.0.0.1", 50000))

    class Changing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await inner.handle_async_request(request)
            body = await answer.aread()
            changed, headers = change(body, answer.headers)
            return httpx.Response(answer.status_code, content=changed, headers=headers)

    return Changing()


def signature_of(answer: httpx.Headers) -> dict[str, str]:
    return {name: answer[name] for name in ("sesame-timestamp", "sesame-signature")}


@pytest.mark.parametrize("case", ["altered", "unsigned", "old", "endless"])
async def test_an_answer_that_was_not_signed_for_this_call_is_no_answer(
    clock: ManualClock, case: str
) -> None:
    stand_in = FapiaoStandIn("sesame", SECRET, clock, public_url=BASE_URL)

    def change(body: bytes, headers: httpx.Headers) -> tuple[bytes, dict[str, str]]:
        signed = signature_of(headers)
        match case:
            case "altered":
                return body.replace(b"applied", b"issued"), signed
            case "unsigned":
                return body, {}
            case "old":
                return body, {**signed, "sesame-timestamp": "1000000000"}
            case _:
                return b" " * 70_000, signed

    service = HttpFapiaoService(
        SETTINGS,
        clock,
        transport=answering(change, stand_in),
    )
    result = await service.apply(BLUE)
    assert (result.status, result.failure_code) == (FapiaoStatus.UNKNOWN, "untrusted_answer")
    await service.aclose()


async def test_an_answer_to_another_call_is_no_answer(clock: ManualClock) -> None:
    stand_in = FapiaoStandIn("sesame", SECRET, clock, public_url=BASE_URL)
    kept: list[tuple[bytes, dict[str, str]]] = []

    def replay(body: bytes, headers: httpx.Headers) -> tuple[bytes, dict[str, str]]:
        kept.append((body, signature_of(headers)))
        return kept[0]

    service = HttpFapiaoService(
        SETTINGS,
        clock,
        transport=answering(replay, stand_in),
    )
    assert (await service.apply(BLUE)).status == FapiaoStatus.APPLIED
    assert (await service.query(BLUE.number)).failure_code == "untrusted_answer"
    await service.aclose()


async def test_a_repeated_call_is_refused(clock: ManualClock) -> None:
    stand_in = FapiaoStandIn("sesame", SECRET, clock, public_url=BASE_URL)
    timestamp, nonce = str(int(clock.now().timestamp())), "a" * 32
    target = f"/v1/fapiao/{BLUE.number}"
    digest = hashlib.sha256(b"").hexdigest()
    text = f"request\nGET\n{target}\nsesame\n{timestamp}\n{nonce}\n{digest}"
    headers = {
        "sesame-account": "sesame",
        "sesame-timestamp": timestamp,
        "sesame-nonce": nonce,
        "sesame-signature": f"v1={hmac.new(SECRET.encode(), text.encode(), 'sha256').hexdigest()}",
    }
    transport = httpx.ASGITransport(stand_in.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        first = await client.get(target, headers=headers)
        second = await client.get(target, headers=headers)
    assert (first.status_code, first.json()) == (404, {"code": "not_found"})
    assert (second.status_code, second.json()) == (401, {"code": "nonce_repeated"})


async def test_controls_answer_on_loopback_only(clock: ManualClock) -> None:
    stand_in = FapiaoStandIn("sesame", SECRET, clock, public_url=BASE_URL)
    for address, status in (("127.0.0.1", 200), ("203.0.113.7", 403)):
        transport = httpx.ASGITransport(stand_in.app, client=(address, 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert (await client.get("/_books")).status_code == status
            answer = await client.post("/_control", json={"action": "hold"})
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base_url": "http://fapiao.example"}, "SESAME_FAPIAO_URL"),
        ({"secret": "short"}, "SESAME_FAPIAO_SECRET"),
    ],
)
def test_refuses_settings_that_are_not_safe(changes: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        replace(SETTINGS, **changes)
    assert caught.value.field == field
    assert "short" not in str(caught.value)
