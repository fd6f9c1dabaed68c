"""What is the same behind the payment port for both wires."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import structlog

from parking.kit.clock import Clock
from parking.kit.errors import ParkingError
from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    AgreementRequest,
    AgreementStarted,
    AgreementState,
    AgreementStatus,
    ChargeOrder,
    ChargeResult,
    Notice,
    NoticeOutcome,
    NoticeReply,
    OrderStatus,
    ProviderRefusedError,
    ProviderTraits,
    ProviderUnavailableError,
    RefundOrder,
    RefundResult,
    SentOrder,
)
from parking.payments.signed_wire.answers import (
    AgreementAnswer,
    AgreementStartedAnswer,
    Answer,
    OrderAnswer,
    RefundAnswer,
)
from parking.payments.signed_wire.notices import Topics, parse_notice
from parking.payments.signed_wire.signature import SignatureScheme
from parking.payments.signed_wire.transport import Failure, SignedClient, SignedWireSettings

# Refused for what the call says, not for when it came: the same call can only be refused again.
_REFUSALS = {400, 404, 409}
# Part 6 of either page: 204 ends the repetitions, and so does nothing else.
_REPLIES = {
    NoticeOutcome.TAKEN: NoticeReply(status=204),
    NoticeOutcome.REFUSED: NoticeReply(status=401, body=b'{"code":"PAYMENT_NOTICE_REFUSED"}'),
    NoticeOutcome.BUSY: NoticeReply(status=503, body=b'{"code":"BUSY"}'),
    NoticeOutcome.IMPOSSIBLE: NoticeReply(status=422, body=b'{"code":"AMOUNT_MISMATCH"}'),
}
# Nobody's plate, unit or account belongs into a log, nor what opens a page.
_UNLOGGED = {"url", "confirmation_url", "plate", "obu", "payer_hint"}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What one wire calls the things that both have.

    Attributes:
        name: The provider's, see `PaymentProvider.name`.
        agreements: The path of all agreements; `charges` and `refunds` likewise.
        refunded: The field of a refund that names the charge.
        topics: Of its notices.
    """

    name: str
    traits: ProviderTraits
    scheme: SignatureScheme
    agreements: str
    charges: str
    refunds: str
    refunded: str
    agreement: type[AgreementAnswer]
    started: type[AgreementStartedAnswer]
    order: type[OrderAnswer]
    refund: type[RefundAnswer]
    topics: Topics


class SignedWireProvider:
    """The part of a `PaymentProvider` that both wires share."""

    def __init__(self, wire: Wire, settings: SignedWireSettings, clock: Clock) -> None:
        self._wire = wire
        self._client = SignedClient(wire.scheme, settings, clock)

    @property
    def name(self) -> str:
        """See `PaymentProvider.name`."""
        return self._wire.name

    @property
    def traits(self) -> ProviderTraits:
        """See `PaymentProvider.traits`."""
        return self._wire.traits

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """See `PaymentProvider.start_agreement`."""
        body: dict[str, object] = {
            "number": request.number,
            "description": request.description,
            "return_url": request.return_url,
        }
        if self.traits.needs_plate:
            if request.plate is None:
                raise ProviderRefusedError("plate_missing")
            body["plate"] = request.plate
        answer = await self._client.call(self._wire.started, "POST", self._wire.agreements, body)
        if (
            isinstance(answer, Failure)
            or answer.number != request.number
            or not answer.is_for(request.plate)
        ):
            raise self._page_error(request.number, answer)
        return AgreementStarted(
            reference=answer.reference,
            confirmation_url=answer.confirmation_url,
            expires_at=answer.expires_at,
        )

    async def query_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.query_agreement`."""
        path = f"{self._wire.agreements}/{quote(reference, safe='')}"
        answer = await self._client.call(self._wire.agreement, "GET", path)
        return self._agreement_state(reference, plate, answer)

    async def cancel_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.cancel_agreement`."""
        path = f"{self._wire.agreements}/{quote(reference, safe='')}/cancel"
        answer = await self._client.call(self._wire.agreement, "POST", path, {})
        return self._agreement_state(reference, plate, answer)

    async def query(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.query`."""
        path = f"{self._wire.charges}/{quote(order.number, safe='')}"
        answer = await self._client.call(self._wire.order, "GET", path)
        return self._charge_result(order.number, order.amount, answer)

    async def close(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.close`."""
        return await self._close(order.number, order.amount)

    async def refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.refund`."""
        body: dict[str, object] = {
            "number": order.number,
            self._wire.refunded: order.charge.number,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
            "reason": order.reason,
        }
        answer = await self._client.call(self._wire.refund, "POST", self._wire.refunds, body)
        return self._refund_result(order, answer)

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.query_refund`."""
        path = f"{self._wire.refunds}/{quote(order.number, safe='')}"
        return self._refund_result(order, await self._client.call(self._wire.refund, "GET", path))

    def verify_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """See `PaymentProvider.verify_notices`."""
        self._client.check_notice(headers, body)
        return (parse_notice(body, self._wire.topics),)

    def notice_reply(self, outcome: NoticeOutcome) -> NoticeReply:
        """See `PaymentProvider.notice_reply`."""
        return _REPLIES[outcome]

    async def aclose(self) -> None:
        """See `PaymentProvider.aclose`."""
        await self._client.aclose()

    async def _charge(self, order: ChargeOrder, body: dict[str, object]) -> ChargeResult:
        """Return what came of an order, sent with its number, amount and description."""
        body |= {
            "number": order.number,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
            "description": order.description,
        }
        answer = await self._client.call(
            self._wire.order, "POST", self._wire.charges, body, deadline_s=order.deadline_s
        )
        return self._charge_result(order.number, order.amount, answer)

    async def _close(self, number: str, amount: Money) -> ChargeResult:
        path = f"{self._wire.charges}/{quote(number, safe='')}/close"
        answer = await self._client.call(self._wire.order, "POST", path, {})
        return self._charge_result(number, amount, answer)

    def _agreement_state(
        self, reference: str, plate: str | None, answer: AgreementAnswer | Failure
    ) -> AgreementState:
        if isinstance(answer, AgreementAnswer):
            if answer.reference == reference and answer.is_for(plate):
                return answer.result()
            self._log_mismatch("agreement", reference, answer)
        elif answer.says_not_found:
            return AgreementState(reference=reference, status=AgreementStatus.NOT_FOUND)
        return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)

    def _charge_result(
        self, number: str, amount: Money, answer: OrderAnswer | Failure
    ) -> ChargeResult:
        if isinstance(answer, Failure):
            status, code = _verdict(answer)
        elif answer.agrees(number, amount):
            return answer.result()
        else:
            self._log_mismatch("charge", number, answer)
            status, code = OrderStatus.UNKNOWN, ANSWER_MISMATCH
        return ChargeResult(number=number, status=status, failure_code=code)

    def _refund_result(self, order: RefundOrder, answer: RefundAnswer | Failure) -> RefundResult:
        charge = order.charge.number
        if isinstance(answer, Failure):
            status, code = _verdict(answer)
        elif answer.agrees(order.number, order.amount) and answer.charge == charge:
            return answer.result()
        else:
            self._log_mismatch("refund", order.number, answer)
            status, code = OrderStatus.UNKNOWN, ANSWER_MISMATCH
        return RefundResult(
            number=order.number, charge_number=charge, status=status, failure_code=code
        )

    def _page_error(self, asked: str, answer: Answer | Failure) -> ParkingError:
        """Return why there is no page, for an answer without one that fits."""
        if not isinstance(answer, Failure):
            self._log_mismatch("page", asked, answer)
            return ProviderUnavailableError(ANSWER_MISMATCH)
        if answer.status_code in _REFUSALS:
            return ProviderRefusedError(answer.code)
        return ProviderUnavailableError(answer.code)

    def _log_mismatch(self, kind: str, asked: str, answer: Answer) -> None:
        # A signed answer about something else is the platform's defect or an attack; say what.
        said = answer.model_dump(mode="json", exclude=_UNLOGGED)
        _log.error("signed_answer_mismatch", provider=self.name, kind=kind, asked=asked, said=said)


def _verdict(failure: Failure) -> tuple[OrderStatus, str | None]:
    # Every other error leaves open whether an earlier delivery of the number took money.
    if failure.says_not_found:
        return OrderStatus.NOT_FOUND, None
    return OrderStatus.UNKNOWN, failure.code
