"""The Alipay adapter against its stand-in over HTTP, and the strings behind it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parking.kit.clock import ManualClock, SystemClock
from parking.payments.port import (
    AgreementStarted,
    ChargeResult,
    Checkout,
    Notice,
    NoticeKind,
    NoticeOutcome,
    NoticeRefusedError,
    PaymentProvider,
    SentOrder,
)
from parking.payments.providers.alipay import AlipayProvider, AlipaySettings
from sesame.sandbox.alipay import Options, StandIn, create_stand_in
from sesame.sandbox.alipay.signing import new_private_pem, public_pem
from tests.contract.http_server import listener, serving, url_of
from tests.contract.payment_stages import DELIVERIES_MAX, Delivery, eventually

APP_ID = "2021000000000001"
SELLER_ID = "2088000000000002"


@dataclass(slots=True)
class Receiver:
    """Our endpoint for notices: verifies, and answers as Alipay wants it."""

    provider: AlipayProvider | None = None
    deliveries: list[tuple[Delivery, tuple[Notice, ...]]] = field(
        default_factory=list[tuple[Delivery, tuple[Notice, ...]]]
    )

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/callbacks/alipay", self._receive, methods=["POST"])])

    async def _receive(self, request: Request) -> Response:
        headers, body = dict(request.headers), await request.body()
        assert self.provider is not None
        assert len(self.deliveries) < DELIVERIES_MAX
        try:
            notices = self.provider.verify_notices(headers, body)
        except NoticeRefusedError as error:
            self.deliveries.append((Delivery(headers, body, error.reason), ()))
            return self._reply(NoticeOutcome.REFUSED)
        self.deliveries.append((Delivery(headers, body), notices))
        return self._reply(NoticeOutcome.TAKEN)

    def _reply(self, outcome: NoticeOutcome) -> Response:
        assert self.provider is not None
        reply = self.provider.notice_reply(outcome)
        return Response(reply.body, reply.status, media_type=reply.media_type)


@dataclass(frozen=True, slots=True)
class RunningAlipay:
    """The stand-in of this run, and where it posts its notices."""

    settings: AlipaySettings
    stand_in: StandIn
    receiver: Receiver
    url: str


@dataclass(slots=True)
class AlipayStage:
    """See `tests.contract.payment_stages.Stage`."""

    running: RunningAlipay
    client: httpx.AsyncClient
    provider: AlipayProvider = field(init=False)
    lacks: frozenset[str] = frozenset(
        {
            "charge.failed",
            "dated_notices",
            "decline_memory",
            "ended_agreements",
            "guarantee",
            "named_keys",
            "pending_agreements",
            "refund.succeeded",
            "served_pages",
            "signature_headers",
        }
    )
    _others: list[AlipayProvider] = field(default_factory=list[AlipayProvider])

    def __post_init__(self) -> None:
        self.provider = AlipayProvider(self.running.settings, SystemClock())

    async def open(self) -> None:
        """Start from a stand-in that behaves well."""
        self.running.receiver.provider = self.provider
        await self.control(clear=True, notice_retry_ms=20, platform_key=0)

    async def aclose(self) -> None:
        """Give back the connections."""
        for provider in (self.provider, *self._others):
            await provider.aclose()

    async def control(self, **wish: object) -> None:
        """Talk to the stand-in itself."""
        response = await self.client.post(f"{self.running.url}/_control", json=wish)
        response.raise_for_status()

    async def books(self) -> dict[str, Any]:
        """Return what the stand-in has written down."""
        return (await self.client.get(f"{self.running.url}/_books")).json()

    async def told(self) -> list[dict[str, str]]:
        """Return what the parking service has heard."""
        return (await self.client.get(f"{self.running.url}/_parking")).json()["told"]

    async def play(self, scenario: str, *, operation: str = "charge", **wish: object) -> None:
        await self.control(scenario=scenario, operation=operation, delay_ms=100, **wish)

    async def confirm(self, started: AgreementStarted) -> None:
        page = await self._page(started.confirmation_url)
        assert '<form method="post">' in (await self.client.get(page)).text
        assert (await self.client.post(page)).status_code == 303

    async def open_checkout(self, checkout: Checkout) -> httpx.Response:
        """Follow the signed address to the payment page."""
        return await self.client.get(checkout.url)

    async def pay(self, number: str, checkout: Checkout) -> int:
        del number
        answer = await self.open_checkout(checkout)
        if answer.status_code != 303:
            return answer.status_code
        return (await self.client.post(answer.headers["Location"])).status_code

    async def until_settled(self, order: SentOrder) -> ChargeResult:
        async def settled() -> ChargeResult | None:
            result = await self.provider.query(order)
            return result if result.status.definitive else None

        return await eventually(settled)

    async def captured(self, currency: str) -> int:
        sums = (await self.books())["sums"]
        return sums[currency]["balance_minor"] if currency in sums else 0

    async def delivery(self, kind: str, about: str) -> Delivery:
        def is_it(notices: tuple[Notice, ...]) -> bool:
            return any(n.kind is NoticeKind(kind) and about in repr(n.result) for n in notices)

        async def found() -> Delivery | None:
            seen = list(self.running.receiver.deliveries)
            return next((delivery for delivery, notices in seen if is_it(notices)), None)

        return await eventually(found)

    def provider_after(self, seconds: int) -> PaymentProvider:
        clock = ManualClock(SystemClock().now() + timedelta(seconds=seconds))
        self._others.append(AlipayProvider(self.running.settings, clock))
        return self._others[-1]

    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        raise NotImplementedError("the signature is in the body")

    def with_unknown_key(self, delivery: Delivery) -> dict[str, str]:
        raise NotImplementedError("the wire names no key")

    async def _page(self, url: str) -> str:
        answer = await self.client.get(url)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]


@pytest.fixture(scope="session")
def alipay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAlipay]:
    """A running stand-in with an application that it knows."""
    app_key = new_private_pem()
    gateway_socket, merchant_socket = listener(), listener()
    url = url_of(gateway_socket)
    stand_in = create_stand_in(
        Options(
            data=Path(tmp_path_factory.mktemp("alipay")) / "books.sqlite",
            app_key_pem=public_pem(app_key).encode(),
            public_url=url,
            app_id=APP_ID,
            seller_id=SELLER_ID,
        ),
        SystemClock(),
    )
    settings = AlipaySettings(
        app_id=APP_ID,
        seller_id=SELLER_ID,
        app_key_pem=app_key.decode(),
        alipay_public_keys_pem=stand_in.public_keys_pem,
        notify_url=f"{url_of(merchant_socket)}/callbacks/alipay",
        gateway_url=f"{url}/gateway.do",
    )
    receiver = Receiver()
    with serving(stand_in.app, gateway_socket), serving(receiver.app(), merchant_socket):
        yield RunningAlipay(settings, stand_in, receiver, url)


@pytest.fixture
async def alipay_stage(alipay: RunningAlipay) -> AsyncIterator[AlipayStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        stage = AlipayStage(alipay, client)
        await stage.open()
        yield stage
        await stage.aclose()
