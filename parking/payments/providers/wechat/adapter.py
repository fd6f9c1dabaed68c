"""WeChat Pay behind the payment port: calls out, and notices in."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    ANSWER_MISMATCH,
    NO_ANSWER,
    NUMBER_CONFLICT,
    AccountKind,
    AgreementRequest,
    AgreementStarted,
    AgreementState,
    AgreementStatus,
    ChargeOrder,
    ChargeResult,
    Checkout,
    CheckoutOrder,
    Notice,
    NoticeOutcome,
    NoticeRefusedError,
    NoticeReply,
    OrderStatus,
    PayerDevice,
    ProviderRefusedError,
    ProviderTraits,
    ProviderUnavailableError,
    RefundOrder,
    RefundResult,
    SentOrder,
    SettlementNotReadyError,
    SettlementRow,
    StayDetails,
)
from parking.payments.providers.wechat import requests
from parking.payments.providers.wechat.agreements import Service, Services, service_page
from parking.payments.providers.wechat.answers import (
    CURRENCY,
    BillAnswer,
    ParkingAnswer,
    RefundAnswer,
    ServiceAnswer,
)
from parking.payments.providers.wechat.checkouts import REFUSALS, Checkouts
from parking.payments.providers.wechat.notices import BODY_BYTES_MAX, NoticeReader
from parking.payments.providers.wechat.orders import INVALID_REQUEST, Orders, verdict
from parking.payments.providers.wechat.payers import Payers
from parking.payments.providers.wechat.settings import WechatSettings
from parking.payments.providers.wechat.settlement import (
    TIMEZONE,
    BillRefusedError,
    check_hash,
    parse_bill,
)
from parking.payments.providers.wechat.signature import (
    PlatformKeys,
    SignatureHeader,
    SignatureRefusedError,
)
from parking.payments.providers.wechat.transport import Failure, SignedClient

# WeChat Pay has a day's bill ready at ten o'clock of the next.
BILL_READY_AT: Final = time(10)
SERVICE_LIFETIME: Final = timedelta(hours=24)
CURRENCY_UNSUPPORTED: Final = "currency_unsupported"
PLATE_UNSUPPORTED: Final = "plate_unsupported"
STAY_MISSING: Final = "stay_missing"

_TRAITS = ProviderTraits(
    account=AccountKind.WALLET,
    needs_plate=True,
    needs_payer=True,
    announces_stays=True,
    payer_ends_agreements=True,
    currencies=frozenset({CURRENCY}),
    timezone=TIMEZONE,
)
# Why a refund is refused. The second is said of one whose fields are right if the order has not
# so much left.
_REFUND_CODES = {"resource_not_exists": "not_refundable", "invalid_request": "exceeds_charge"}
# Why WeChat keeps a car from being charged; other reasons pass as they come.
_BLOCKED = {"PAUSE": AGREEMENT_INACTIVE, "OUT_SERVICE": AGREEMENT_INACTIVE}
_BLOCKED["REMOVE"] = AGREEMENT_INACTIVE
_REPLIES = {
    NoticeOutcome.TAKEN: NoticeReply(status=204),
    NoticeOutcome.REFUSED: NoticeReply(status=401, body=b'{"code":"FAIL","message":"refused"}'),
    NoticeOutcome.BUSY: NoticeReply(status=503, body=b'{"code":"FAIL","message":"come again"}'),
    NoticeOutcome.IMPOSSIBLE: NoticeReply(
        status=422, body=b'{"code":"FAIL","message":"not true of our order"}'
    ),
}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class WechatProvider:
    """A `PaymentProvider` over WeChat Pay's API v3."""

    def __init__(self, settings: WechatSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._keys = PlatformKeys(settings.platform_keys_pem)
        self._client = SignedClient(settings, self._keys, clock)
        self._services = Services(settings.api_key)
        self._orders = Orders(settings, self._client)
        self._checkouts = Checkouts(settings, self._client, clock, path=self._orders.pages)
        self._payers = Payers(settings.account, timeout_s=settings.call_timeout_s)
        self._traits = replace(_TRAITS, devices=frozenset(_devices(settings)))
        self._notices = NoticeReader(
            settings.api_key,
            merchant=settings.merchant,
            sub_merchant=settings.sub_merchant,
            services=self._services,
        )

    @property
    def name(self) -> str:
        """See `PaymentProvider.name`."""
        return "wechat"

    @property
    def traits(self) -> ProviderTraits:
        """See `PaymentProvider.traits`."""
        return self._traits

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """See `PaymentProvider.start_agreement`; WeChat Pay hears nothing of it yet.

        Raises:
            InvalidInputError: `payer_id` or `plate` is missing.
            ProviderRefusedError: WeChat Pay takes no such openid or plate.
        """
        if request.payer_id is None or request.plate is None:
            raise InvalidInputError("request", "a payer_id, which is an openid, and a plate")
        service = self._services.open(request.number, request.payer_id, request.plate)
        if service is None:
            raise ProviderRefusedError(PLATE_UNSUPPORTED)
        page = service_page(
            self._settings.service_url,
            service,
            merchant=self._settings.merchant,
            sub_merchant=self._settings.sub_merchant,
        )
        expires_at = self._clock.now() + SERVICE_LIFETIME
        return AgreementStarted(
            reference=service.reference, confirmation_url=page, expires_at=expires_at
        )

    async def query_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.query_agreement`; closed and not yet opened look the same."""
        service = self._services.find(reference, plate)
        if service is None:
            return AgreementState(reference=reference, status=AgreementStatus.NOT_FOUND)
        query = {"appid": self._settings.app} | requests.on_behalf(self._settings)
        answer = await self._client.call(
            ServiceAnswer, "GET", "/v3/vehicle/parking/services/find", query=query | service.query()
        )
        if isinstance(answer, Failure):
            return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)
        if (answer.openid, answer.plate_number) != (service.openid, service.plate):
            _log.error("wechat_answer_mismatch", kind="service")
            return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)
        return answer.state(reference)

    async def cancel_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """Return where it stands: WeChat Pay lets only the payer end it, on WeChat's own page."""
        return await self.query_agreement(reference, plate=plate)

    async def announce_stay(self, agreement_reference: str, stay: StayDetails) -> str:
        """See `StayListener.announce_stay`; WeChat Pay is told of no departure.

        Raises:
            ProviderUnavailableError: no trustworthy answer came.
            ProviderRefusedError: the plate cannot be charged, now at least.
        """
        service = self._services.find(agreement_reference, stay.plate)
        if service is None:
            raise ProviderRefusedError(AGREEMENT_INACTIVE)
        entered = await self._enter(service, stay.number, stay)
        if isinstance(entered, Failure):
            if entered.status_code in REFUSALS:
                raise ProviderRefusedError(entered.code)
            raise ProviderUnavailableError(entered.code)
        if entered.state == "BLOCKED":
            raise ProviderRefusedError(_blocked(entered))
        return entered.id

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """See `PaymentProvider.charge`; of a car that was not announced, its entry comes first."""
        stay = order.stay
        if stay is None:
            return _failed(order, STAY_MISSING)
        service = self._services.find(order.agreement_reference, stay.plate)
        if service is None:
            return _failed(order, AGREEMENT_INACTIVE)
        if order.amount.currency != CURRENCY:
            return _failed(order, CURRENCY_UNSUPPORTED)
        try:
            async with asyncio.timeout(order.deadline_s):
                return await self._charge(order, service, stay)
        except TimeoutError:
            return ChargeResult(
                number=order.number, status=OrderStatus.UNKNOWN, failure_code=NO_ANSWER
            )

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`; on a screen the URL is what a code must say."""
        if order.amount.currency != CURRENCY:
            raise ProviderRefusedError(CURRENCY_UNSUPPORTED)
        return await self._checkouts.start(order)

    def payer_page(self, return_url: str, state: str) -> str:
        """See `PayerFinder.payer_page`."""
        return self._payers.page(return_url, state)

    async def find_payer(self, code: str) -> str:
        """See `PayerFinder.find_payer`: an openid of the official account."""
        return await self._payers.find(code)

    async def query(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.query`; a page that may not be read any more is closed as well."""
        result = await self._orders.query(order.number, order.amount, is_page=order.is_checkout)
        is_over = self._clock.now() >= order.sent_at + requests.PAGE_LIFETIME
        if order.is_checkout and result.status is OrderStatus.ACCEPTED and is_over:
            return await self.close(order)
        return result

    async def close(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.close`; see `Orders.close_charge` for what a charge can promise."""
        if order.is_checkout:
            return await self._orders.close_page(order)
        return await self._orders.close_charge(order, self._clock.now())

    async def refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.refund`."""
        body = requests.refund(self._settings, order)
        answer = await self._client.call(
            RefundAnswer, "POST", "/v3/refund/domestic/refunds", body=body
        )
        if isinstance(answer, Failure) and answer.status_code in REFUSALS:
            # It was refused now; an earlier delivery of the number may stand all the same.
            stands = await self.query_refund(order)
            if stands.status is OrderStatus.NOT_FOUND:
                return _refund(
                    order, OrderStatus.FAILED, _REFUND_CODES.get(answer.code, answer.code)
                )
            if stands.failure_code == ANSWER_MISMATCH:
                return _refund(order, OrderStatus.UNKNOWN, NUMBER_CONFLICT)
            return stands
        return self._refund_result(order, answer)

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.query_refund`."""
        path = f"/v3/refund/domestic/refunds/{order.number}"
        query = requests.on_behalf(self._settings)
        return self._refund_result(
            order, await self._client.call(RefundAnswer, "GET", path, query=query)
        )

    def verify_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """See `PaymentProvider.verify_notices`."""
        if len(body) > BODY_BYTES_MAX:
            raise NoticeRefusedError("body")
        try:
            header = SignatureHeader.parse({name.lower(): text for name, text in headers.items()})
            self._keys.check(header, body, self._clock.now())
        except SignatureRefusedError as error:
            raise NoticeRefusedError(error.reason) from error
        return self._notices.read(body)

    def notice_reply(self, outcome: NoticeOutcome) -> NoticeReply:
        """See `PaymentProvider.notice_reply`: 2xx takes it, anything else has it repeated."""
        return _REPLIES[outcome]

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """See `PaymentProvider.fetch_settlement`: the trade bill of the day, in Beijing's time."""
        query = {"bill_date": day.isoformat(), "bill_type": "ALL"}
        answer = await self._client.call(
            BillAnswer,
            "GET",
            "/v3/bill/tradebill",
            query=query | requests.on_behalf(self._settings),
        )
        if isinstance(answer, Failure):
            if answer.code == "no_statement_exist" and self._clock.now() >= _ready_at(day):
                return ()
            if answer.code in {"no_statement_exist", "statement_creating"}:
                raise SettlementNotReadyError(day.isoformat())
            raise ProviderUnavailableError(answer.code)
        content = await self._client.download(answer.download_url)
        if isinstance(content, Failure):
            raise ProviderUnavailableError(content.code)
        try:
            check_hash(answer, content)
            return parse_bill(content)
        except BillRefusedError as error:
            raise ProviderUnavailableError(str(error)) from error

    async def aclose(self) -> None:
        """See `PaymentProvider.aclose`."""
        await self._client.aclose()
        await self._payers.aclose()

    async def _charge(
        self, order: ChargeOrder, service: Service, stay: StayDetails
    ) -> ChargeResult:
        if stay.reference is None:
            result = await self._enter_and_charge(order, service, stay, order.number)
        else:
            result = await self._charge_parking(order, service, stay, stay.reference)
        if result.failure_code != INVALID_REQUEST:
            return result
        # Only the newest parking of a plate is valid, and the car was told of elsewhere or twice.
        # Under a new one the order is still the same: its number keeps the charge single. A new
        # one each time, for the car may have been told of since the last.
        number = f"{order.number} {self._clock.now().isoformat()}"
        return await self._enter_and_charge(order, service, stay, number)

    async def _enter_and_charge(
        self, order: ChargeOrder, service: Service, stay: StayDetails, number: str
    ) -> ChargeResult:
        entered = await self._enter(service, number, stay)
        if isinstance(entered, Failure):
            return await self._orders.refused(order, entered)
        if entered.state == "BLOCKED":
            return await self._orders.declined(order, _blocked(entered))
        return await self._charge_parking(order, service, stay, entered.id)

    async def _enter(
        self, service: Service, number: str, stay: StayDetails
    ) -> ParkingAnswer | Failure:
        body = requests.parking(self._settings, service, number, stay)
        entered = await self._client.call(
            ParkingAnswer, "POST", "/v3/vehicle/parking/parkings", body=body
        )
        if isinstance(entered, Failure):
            return entered
        if (entered.out_parking_no, entered.plate_number) != (body["out_parking_no"], stay.plate):
            _log.error("wechat_answer_mismatch", kind="parking", asked=number)
            return Failure(ANSWER_MISMATCH)
        return entered

    async def _charge_parking(
        self, order: ChargeOrder, service: Service, stay: StayDetails, parking_id: str
    ) -> ChargeResult:
        body = requests.charge(self._settings, service, order, stay, parking_id, self._clock.now())
        return await self._orders.charge(order, body)

    def _refund_result(self, order: RefundOrder, answer: RefundAnswer | Failure) -> RefundResult:
        if isinstance(answer, Failure):
            return _refund(order, *verdict(answer))
        if answer.agrees(order.number, order.charge.number, order.amount):
            return answer.result()
        _log.error("wechat_answer_mismatch", kind="refund", asked=order.number)
        return _refund(order, OrderStatus.UNKNOWN, ANSWER_MISMATCH)


def _blocked(entered: ParkingAnswer) -> str:
    reason = entered.block_reason or "BLOCKED"
    return _BLOCKED.get(reason, reason.lower())


def _devices(settings: WechatSettings) -> Iterator[PayerDevice]:
    if settings.has_phone_pages:
        yield PayerDevice.PHONE
    if settings.account is not None:
        yield PayerDevice.APP


def _failed(order: ChargeOrder, failure_code: str) -> ChargeResult:
    return ChargeResult(number=order.number, status=OrderStatus.FAILED, failure_code=failure_code)


def _refund(order: RefundOrder, status: OrderStatus, failure_code: str | None) -> RefundResult:
    return RefundResult(
        number=order.number,
        charge_number=order.charge.number,
        status=status,
        failure_code=failure_code,
    )


def _ready_at(day: date) -> datetime:
    ready_on = day + timedelta(days=1)
    return datetime.combine(ready_on, BILL_READY_AT, tzinfo=ZoneInfo(TIMEZONE))
