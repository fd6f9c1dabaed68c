"""Alipay behind the payment port: what is called where."""

import asyncio
from collections.abc import Mapping
from datetime import date

from parking.kit.clock import Clock
from parking.payments.port import (
    NO_ANSWER,
    AccountKind,
    AgreementRequest,
    AgreementStarted,
    AgreementState,
    ChargeOrder,
    ChargeResult,
    Checkout,
    CheckoutOrder,
    Notice,
    NoticeOutcome,
    NoticeReply,
    ProviderTraits,
    RefundOrder,
    RefundResult,
    SentOrder,
    SettlementRow,
    StayDetails,
)
from parking.payments.providers.alipay.agreements import Agreements
from parking.payments.providers.alipay.answers import unknown
from parking.payments.providers.alipay.notices import NoticeReader, reply
from parking.payments.providers.alipay.parking_sync import ParkingSync
from parking.payments.providers.alipay.refunds import Refunds
from parking.payments.providers.alipay.settings import AlipaySettings
from parking.payments.providers.alipay.settlement import fetch_settlement
from parking.payments.providers.alipay.signature import AlipayKeys
from parking.payments.providers.alipay.trades import Trades
from parking.payments.providers.alipay.transport import GatewayClient
from parking.payments.providers.alipay.wire_values import CURRENCY, TIMEZONE


class AlipayProvider:
    """A `PaymentProvider` over gateway.do."""

    def __init__(self, settings: AlipaySettings, clock: Clock) -> None:
        keys = AlipayKeys(settings.alipay_public_keys_pem)
        self._clock = clock
        self._client = GatewayClient(settings, keys, clock)
        self._agreements = Agreements(self._client, settings, clock)
        self._trades = Trades(self._client, self._agreements, clock)
        self._refunds = Refunds(self._client)
        self._notices = NoticeReader(settings, keys, clock)
        self._parking = ParkingSync(self._client, settings.parking_ids)
        has_parking = bool(settings.parking_ids)
        self._traits = ProviderTraits(
            account=AccountKind.WALLET,
            needs_plate=has_parking,
            announces_stays=has_parking,
            announces_departures=has_parking,
            currencies=frozenset({CURRENCY}),
            charge_minor_max=settings.charge_minor_max,
            day_minor_max=settings.day_minor_max,
            timezone=TIMEZONE,
        )

    @property
    def name(self) -> str:
        """See `PaymentProvider.name`."""
        return "alipay"

    @property
    def traits(self) -> ProviderTraits:
        """See `PaymentProvider.traits`."""
        return self._traits

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """See `PaymentProvider.start_agreement`."""
        return self._agreements.start(request)

    async def query_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.query_agreement`."""
        del plate
        return await self._agreements.query(reference)

    async def cancel_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.cancel_agreement`."""
        del plate
        return await self._agreements.cancel(reference)

    async def announce_stay(self, agreement_reference: str, stay: StayDetails) -> str:
        """See `StayListener.announce_stay`; the parking service knows cars, not agreements."""
        del agreement_reference
        return await self._parking.tell(stay)

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """See `PaymentProvider.charge`."""
        try:
            # One deadline for the payment and, after a refusal, for making the refusal final.
            async with asyncio.timeout(order.deadline_s):
                return await self._trades.charge(order)
        except TimeoutError:
            return unknown(order.number, NO_ANSWER)

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`."""
        return self._trades.start_checkout(order)

    async def query(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.query`."""
        return await self._trades.query(order)

    async def close(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.close`."""
        return await self._trades.close(order)

    async def refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.refund`."""
        return await self._refunds.refund(order)

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.query_refund`."""
        return await self._refunds.query(order)

    def verify_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """See `PaymentProvider.verify_notices`."""
        return self._notices.read(headers, body)

    def notice_reply(self, outcome: NoticeOutcome) -> NoticeReply:
        """See `PaymentProvider.notice_reply`."""
        return reply(outcome)

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """See `PaymentProvider.fetch_settlement`."""
        return await fetch_settlement(self._client, self._clock, day)

    async def aclose(self) -> None:
        """See `PaymentProvider.aclose`."""
        await self._client.aclose()
