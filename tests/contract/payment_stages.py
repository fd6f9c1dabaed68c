"""What the contract suite needs beside a provider: a payer, a director, and the other's books."""

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parking.kit.clock import Clock, ManualClock, SystemClock
from parking.payments.fake import FakeProvider, Fault
from parking.payments.port import (
    AgreementStarted,
    ChargeResult,
    Checkout,
    Notice,
    NoticeOutcome,
    NoticeRefusedError,
    NoticeReply,
    OrderStatus,
    PaymentProvider,
    SentOrder,
)
from parking.payments.providers.acquirer import AcquirerProvider
from parking.payments.signed_wire import SignedWireSettings

DELIVERIES_MAX = 10_000
WAIT_STEP_S = 0.01
WAIT_STEPS_MAX = 500

_T = TypeVar("_T")
_numbers = itertools.count(1)


def new_number() -> str:
    """Return a number that no other test of this run uses."""
    return f"T{next(_numbers):07d}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice as it arrived, and what the provider made of it."""

    headers: dict[str, str]
    body: bytes
    refused: str | None = None
    notices: tuple[Notice, ...] = ()


class Stage(Protocol):
    """One provider and the strings behind it."""

    @property
    def provider(self) -> PaymentProvider:
        """The adapter that the contract is about."""
        ...

    @property
    def lacks(self) -> frozenset[str]:
        """What its scheme has no word for; see the marker `needs`."""
        ...

    async def play(self, scenario: str, *, operation: str = "charge") -> None:
        """Make the next call of this kind go wrong."""
        ...

    async def confirm(self, started: AgreementStarted) -> None:
        """Do what the payer does on the confirmation page."""
        ...

    async def pay(self, number: str, checkout: Checkout) -> int:
        """Do what the payer does on the payment page; returns the page's HTTP status."""
        ...

    async def until_settled(self, order: SentOrder) -> ChargeResult:
        """Wait until an accepted order has ended."""
        ...

    async def captured(self, currency: str) -> int:
        """Return the minor units that the provider has taken and not given back."""
        ...

    async def delivery(self, kind: str, about: str) -> Delivery:
        """Wait for a notice about a number or a reference."""
        ...

    def provider_after(self, seconds: int) -> PaymentProvider:
        """Return the provider as it is later, or earlier."""
        ...

    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        """Return the headers with a signature of the right form that is wrong."""
        ...

    def with_unknown_key(self, delivery: Delivery) -> dict[str, str]:
        """Return the headers naming a key that nobody knows."""
        ...


@dataclass(slots=True)
class FakeStage:
    """The fake in memory."""

    clock: ManualClock = field(
        default_factory=lambda: ManualClock(datetime(2026, 11, 23, 8, tzinfo=UTC))
    )
    provider: FakeProvider = field(init=False)
    lacks: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.provider = FakeProvider(self.clock)

    async def play(self, scenario: str, *, operation: str = "charge") -> None:
        del operation
        self.provider.play(Fault(scenario))

    async def confirm(self, started: AgreementStarted) -> None:
        self.provider.confirm(started.reference)

    async def pay(self, number: str, checkout: Checkout) -> int:
        del checkout
        return 303 if self.provider.pay(number) else 409

    async def until_settled(self, order: SentOrder) -> ChargeResult:
        self.provider.settle(order.number, OrderStatus.SUCCEEDED)
        return await self.provider.query(order)

    async def captured(self, currency: str) -> int:
        return self.provider.captured(currency)

    async def delivery(self, kind: str, about: str) -> Delivery:
        for told in self.provider.notices:
            notice = self.provider.verify_notices(told.headers, told.body)[0]
            if notice.kind == kind and about in repr(notice.result):
                return Delivery(told.headers, told.body)
        raise AssertionError(f"no {kind} about {about}")

    def provider_after(self, seconds: int) -> PaymentProvider:
        self.clock.advance(timedelta(seconds=seconds))
        return self.provider

    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        return {**delivery.headers, "Fake-Signature": "0" * 64}

    def with_unknown_key(self, delivery: Delivery) -> dict[str, str]:
        return {**delivery.headers, "Fake-Key": "fake-2"}


class NoticeReceiver:
    """An endpoint of ours: verifies, remembers, and answers as the provider wants it."""

    def __init__(self) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_MAX)
        self.provider: PaymentProvider | None = None
        self.failures_left = 0
        self.app = Starlette(routes=[Route("/notices", self._receive, methods=["POST"])])

    async def _receive(self, request: Request) -> Response:
        headers, body = dict(request.headers), await request.body()
        if self.failures_left or self.provider is None:
            self.failures_left = max(self.failures_left - 1, 0)
            return Response(status_code=503)
        try:
            notices = self.provider.verify_notices(headers, body)
        except NoticeRefusedError as error:
            self.deliveries.append(Delivery(headers, body, error.reason))
            return _answer(self.provider.notice_reply(NoticeOutcome.REFUSED))
        self.deliveries.append(Delivery(headers, body, notices=notices))
        return _answer(self.provider.notice_reply(NoticeOutcome.TAKEN))

    async def wait_for(self, found: Callable[[Delivery], bool], count: int = 1) -> list[Delivery]:
        """Wait for so many deliveries of a kind."""

        async def enough() -> list[Delivery] | None:
            matching = [delivery for delivery in list(self.deliveries) if found(delivery)]
            return matching if len(matching) >= count else None

        return await eventually(enough)


@dataclass(slots=True)
class StandInStage(ABC):
    """An adapter against its stand-in, over HTTP; a provider adds how to make its adapter."""

    base_url: str
    receiver: NoticeReceiver
    client: httpx.AsyncClient
    provider: PaymentProvider = field(init=False)
    lacks: frozenset[str] = frozenset()
    _others: list[PaymentProvider] = field(default_factory=list[PaymentProvider])

    def __post_init__(self) -> None:
        self.provider = self.make_provider(SystemClock())

    @abstractmethod
    def make_provider(self, clock: Clock) -> PaymentProvider:
        """Return an adapter that knows the stand-in."""

    @abstractmethod
    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_bad_signature`."""

    def with_unknown_key(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_unknown_key`."""
        raise NotImplementedError

    async def open(self, notice_url: str) -> None:
        """Start from a stand-in that behaves well."""
        self.receiver.provider = self.provider
        self.receiver.failures_left = 0
        settings = {"notice_url": notice_url, "notice_retry_ms": 20, "platform_key": 0}
        await self.control(clear=True, **settings)

    async def aclose(self) -> None:
        """Give back the connections."""
        for provider in (self.provider, *self._others):
            await provider.aclose()

    async def control(self, **wish: object) -> None:
        """Talk to the stand-in itself."""
        response = await self.client.post(f"{self.base_url}/_control", json=wish)
        response.raise_for_status()

    async def books(self) -> dict[str, Any]:
        """Return what the stand-in has written down."""
        return (await self.client.get(f"{self.base_url}/_books")).json()

    async def play(self, scenario: str, *, operation: str = "charge") -> None:
        """See `Stage.play`."""
        await self.control(scenario=scenario, operation=operation, delay_ms=100)

    async def confirm(self, started: AgreementStarted) -> None:
        """See `Stage.confirm`."""
        page = await self.client.get(started.confirmation_url)
        assert '<form method="post">' in page.text
        answer = await self.client.post(started.confirmation_url)
        assert answer.status_code == 303

    async def pay(self, number: str, checkout: Checkout) -> int:
        """See `Stage.pay`."""
        del number
        return (await self.client.post(checkout.url)).status_code

    async def until_settled(self, order: SentOrder) -> ChargeResult:
        """See `Stage.until_settled`."""

        async def settled() -> ChargeResult | None:
            result = await self.provider.query(order)
            return result if result.status.definitive else None

        return await eventually(settled)

    async def captured(self, currency: str) -> int:
        """See `Stage.captured`."""
        sums = (await self.books())["sums"]
        return sums[currency]["balance_minor"] if currency in sums else 0

    async def delivery(self, kind: str, about: str) -> Delivery:
        """See `Stage.delivery`; found by what the adapter makes of each."""

        async def found() -> Delivery | None:
            return next((told for told in list(self.receiver.deliveries) if matches(told)), None)

        def matches(told: Delivery) -> bool:
            return any(
                notice.kind == kind and about in repr(notice.result) for notice in told.notices
            )

        return await eventually(found)

    def provider_after(self, seconds: int) -> PaymentProvider:
        """See `Stage.provider_after`."""
        clock = ManualClock(SystemClock().now() + timedelta(seconds=seconds))
        self._others.append(self.make_provider(clock))
        return self._others[-1]


@dataclass(slots=True)
class AcquirerStage(StandInStage):
    """The acquirer adapter against its stand-in."""

    settings: SignedWireSettings = field(kw_only=True)

    def make_provider(self, clock: Clock) -> PaymentProvider:
        """Return an adapter that knows the stand-in."""
        return AcquirerProvider(self.settings, clock)

    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_bad_signature`."""
        header = delivery.headers["sesame-signature"]
        start = header.index('signature="') + len('signature="')
        other = "B" if header[start] == "A" else "A"
        return {
            **delivery.headers,
            "sesame-signature": header[:start] + other + header[start + 1 :],
        }

    def with_unknown_key(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_unknown_key`."""
        header = delivery.headers["sesame-signature"]
        start = header.index('key="') + len('key="')
        changed = header[:start] + "0" * 16 + header[start + 16 :]
        return {**delivery.headers, "sesame-signature": changed}


def _answer(reply: NoticeReply) -> Response:
    return Response(reply.body, reply.status, media_type=reply.media_type)


async def eventually(probe: Callable[[], Awaitable[_T | None]]) -> _T:
    """Return what the probe finds, asked a bounded number of times."""
    for _ in range(WAIT_STEPS_MAX):
        found = await probe()
        if found is not None:
            return found
        await asyncio.sleep(WAIT_STEP_S)
    raise AssertionError("it did not happen")
