"""The acquirer behind the payment port: calls out, and notices in."""

from collections.abc import Mapping
from datetime import date
from typing import NoReturn
from urllib.parse import quote

import structlog

from parking.kit.clock import Clock
from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
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
    ProviderRefusedError,
    ProviderTraits,
    ProviderUnavailableError,
    RefundOrder,
    RefundResult,
    SentOrder,
    SettlementRow,
)
from parking.payments.providers.acquirer.answers import (
    AgreementAnswer,
    AgreementStartedAnswer,
    CheckoutAnswer,
    OrderAnswer,
    RefundAnswer,
)
from parking.payments.providers.acquirer.notices import BODY_BYTES_MAX, parse_notice
from parking.payments.providers.acquirer.settlements import fetch_settlement
from parking.payments.providers.acquirer.signature import (
    SignatureHeader,
    SignatureRefusedError,
    Verifier,
    notice_text,
)
from parking.payments.providers.acquirer.transport import AcquirerSettings, Failure, SignedClient

# Refused for what the call says, not for when it came: the same call can only be refused again.
_REFUSALS = {400, 404, 409}
# Part 5 of the wire: 204 ends the repetitions, and so does nothing else.
_REPLIES = {
    NoticeOutcome.TAKEN: NoticeReply(status=204),
    NoticeOutcome.REFUSED: NoticeReply(status=401, body=b'{"code":"PAYMENT_NOTICE_REFUSED"}'),
    NoticeOutcome.BUSY: NoticeReply(status=503, body=b'{"code":"BUSY"}'),
    NoticeOutcome.IMPOSSIBLE: NoticeReply(status=422, body=b'{"code":"AMOUNT_MISMATCH"}'),
}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class AcquirerProvider:
    """A `PaymentProvider` over the signed wire."""

    def __init__(self, settings: AcquirerSettings, clock: Clock) -> None:
        self._merchant = settings.merchant
        self._clock = clock
        self._verifier = Verifier(settings.platform_keys_pem)
        self._client = SignedClient(settings, self._verifier, clock)

    @property
    def name(self) -> str:
        """See `PaymentProvider.name`."""
        return "acquirer"

    @property
    def traits(self) -> ProviderTraits:
        """See `PaymentProvider.traits`."""
        return ProviderTraits(account=AccountKind.WALLET)

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """See `PaymentProvider.start_agreement`."""
        body: dict[str, object] = {
            "number": request.number,
            "description": request.description,
            "return_url": request.return_url,
        }
        answer = await self._client.call(AgreementStartedAnswer, "POST", "/v1/agreements", body)
        if isinstance(answer, Failure) or answer.number != request.number:
            _raise_for_page(request.number, answer)
        return AgreementStarted(
            reference=answer.reference,
            confirmation_url=answer.confirmation_url,
            expires_at=answer.expires_at,
        )

    async def query_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.query_agreement`."""
        del plate
        path = f"/v1/agreements/{quote(reference, safe='')}"
        return _agreement(reference, await self._client.call(AgreementAnswer, "GET", path))

    async def cancel_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.cancel_agreement`."""
        del plate
        path = f"/v1/agreements/{quote(reference, safe='')}/cancel"
        return _agreement(reference, await self._client.call(AgreementAnswer, "POST", path, {}))

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """See `PaymentProvider.charge`."""
        body: dict[str, object] = {
            "number": order.number,
            "agreement": order.agreement_reference,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
            "description": order.description,
        }
        answer = await self._client.call(
            OrderAnswer, "POST", "/v1/charges", body, deadline_s=order.deadline_s
        )
        return _charge(order.number, order.amount, answer)

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`."""
        body: dict[str, object] = {
            "number": order.number,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
            "description": order.description,
            "return_url": order.return_url,
        }
        answer = await self._client.call(CheckoutAnswer, "POST", "/v1/checkouts", body)
        if isinstance(answer, Failure) or not answer.agrees(order.number, order.amount):
            _raise_for_page(order.number, answer)
        return Checkout(url=answer.url, expires_at=answer.expires_at)

    async def query(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.query`."""
        path = f"/v1/charges/{quote(order.number, safe='')}"
        answer = await self._client.call(OrderAnswer, "GET", path)
        return _charge(order.number, order.amount, answer)

    async def close(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.close`."""
        path = f"/v1/charges/{quote(order.number, safe='')}/close"
        answer = await self._client.call(OrderAnswer, "POST", path, {})
        return _charge(order.number, order.amount, answer)

    async def refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.refund`."""
        body: dict[str, object] = {
            "number": order.number,
            "charge": order.charge.number,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
            "reason": order.reason,
        }
        return _refund(order, await self._client.call(RefundAnswer, "POST", "/v1/refunds", body))

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.query_refund`."""
        path = f"/v1/refunds/{quote(order.number, safe='')}"
        return _refund(order, await self._client.call(RefundAnswer, "GET", path))

    def verify_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """See `PaymentProvider.verify_notices`."""
        sent = {name.lower(): value for name, value in headers.items()}
        try:
            if len(body) > BODY_BYTES_MAX:
                raise NoticeRefusedError("body")
            header = SignatureHeader.parse(sent.get("sesame-signature", ""))
            text = notice_text(self._merchant, header.stamp, body)
            self._verifier.check(header, text, self._clock.now())
            return (parse_notice(body),)
        except SignatureRefusedError as error:
            raise NoticeRefusedError(error.reason) from error

    def notice_reply(self, outcome: NoticeOutcome) -> NoticeReply:
        """See `PaymentProvider.notice_reply`."""
        return _REPLIES[outcome]

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """See `PaymentProvider.fetch_settlement`."""
        return await fetch_settlement(self._client, day)

    async def aclose(self) -> None:
        """See `PaymentProvider.aclose`."""
        await self._client.aclose()


def _agreement(reference: str, answer: AgreementAnswer | Failure) -> AgreementState:
    if isinstance(answer, AgreementAnswer):
        if answer.reference == reference:
            return answer.state()
        _log_mismatch("agreement", reference, answer)
    elif answer.says_not_found:
        return AgreementState(reference=reference, status=AgreementStatus.NOT_FOUND)
    return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)


def _charge(number: str, amount: Money, answer: OrderAnswer | Failure) -> ChargeResult:
    if isinstance(answer, Failure):
        status, code = _verdict(answer)
    elif answer.agrees(number, amount):
        return answer.result()
    else:
        _log_mismatch("charge", number, answer)
        status, code = OrderStatus.UNKNOWN, ANSWER_MISMATCH
    return ChargeResult(number=number, status=status, failure_code=code)


def _refund(order: RefundOrder, answer: RefundAnswer | Failure) -> RefundResult:
    if isinstance(answer, Failure):
        status, code = _verdict(answer)
    elif answer.agrees(order.number, order.amount) and answer.charge == order.charge.number:
        return answer.result()
    else:
        _log_mismatch("refund", order.number, answer)
        status, code = OrderStatus.UNKNOWN, ANSWER_MISMATCH
    return RefundResult(
        number=order.number, charge_number=order.charge.number, status=status, failure_code=code
    )


def _verdict(failure: Failure) -> tuple[OrderStatus, str | None]:
    # Every other error leaves open whether an earlier delivery of the number took money.
    if failure.says_not_found:
        return OrderStatus.NOT_FOUND, None
    return OrderStatus.UNKNOWN, failure.code


def _raise_for_page(
    number: str, answer: AgreementStartedAnswer | CheckoutAnswer | Failure
) -> NoReturn:
    if not isinstance(answer, Failure):
        _log_mismatch("page", number, answer)
        raise ProviderUnavailableError(ANSWER_MISMATCH)
    if answer.status_code in _REFUSALS:
        raise ProviderRefusedError(answer.code)
    raise ProviderUnavailableError(answer.code)


def _log_mismatch(
    kind: str, asked: str, answer: AgreementAnswer | OrderAnswer | RefundAnswer
) -> None:
    # A signed answer about something else is the platform's defect or an attack; say what it said.
    said = answer.model_dump(mode="json", exclude={"url", "confirmation_url"})
    _log.error("acquirer_answer_mismatch", kind=kind, asked=asked, said=said)
