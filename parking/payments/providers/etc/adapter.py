"""The ETC acquirer behind the payment port: calls out, and notices in."""

from collections.abc import Mapping
from datetime import date
from typing import NoReturn
from urllib.parse import quote

import structlog

from parking.kit.clock import Clock
from parking.kit.money import Money
from parking.payments.port import (
    AGREEMENT_INACTIVE,
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
    SettlementNotReadyError,
    SettlementRow,
    StayDetails,
)
from parking.payments.providers.etc.answers import (
    ContractAnswer,
    ContractStartedAnswer,
    CorrectionAnswer,
    DeductionAnswer,
)
from parking.payments.providers.etc.notices import BODY_BYTES_MAX, parse_notice
from parking.payments.providers.etc.settlement import SettlementMalformedError, parse_settlement
from parking.payments.providers.etc.signature import (
    HEADER,
    SignatureHeader,
    SignatureRefusedError,
    Verifier,
    signed_text,
)
from parking.payments.providers.etc.transport import EtcSettings, Failure, SignedClient

ANTENNA_MISSING = "antenna_missing"
NO_CHECKOUT = "no_checkout"
DAY_OPEN = "day_open"
CURRENCY = "CNY"
TIMEZONE = "Asia/Shanghai"
# What the road operators publish for cars: yuan 2,000 each, 20,000 and 20 times a day.
CHARGE_MINOR_MAX = 2_000_00
DAY_MINOR_MAX = 20_000_00
DAY_CHARGES_MAX = 20

TRAITS = ProviderTraits(
    account=AccountKind.ETC,
    has_checkout=False,
    needs_plate=True,
    needs_antenna=True,
    currencies=frozenset({CURRENCY}),
    charge_minor_max=CHARGE_MINOR_MAX,
    day_minor_max=DAY_MINOR_MAX,
    day_charges_max=DAY_CHARGES_MAX,
    timezone=TIMEZONE,
)
# Refused for what the call says, not for when it came: the same call can only be refused again.
_REFUSALS = {400, 404, 409}
_REPLIES = {
    NoticeOutcome.TAKEN: NoticeReply(status=204),
    NoticeOutcome.REFUSED: NoticeReply(status=401, body=b'{"code":"PAYMENT_NOTICE_REFUSED"}'),
    NoticeOutcome.BUSY: NoticeReply(status=503, body=b'{"code":"BUSY"}'),
    NoticeOutcome.IMPOSSIBLE: NoticeReply(status=422, body=b'{"code":"AMOUNT_MISMATCH"}'),
}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class EtcProvider:
    """A `PaymentProvider` for cars with an ETC unit."""

    def __init__(self, settings: EtcSettings, clock: Clock) -> None:
        self._merchant = settings.merchant
        self._clock = clock
        self._verifier = Verifier(settings.platform_keys_pem)
        self._client = SignedClient(settings, self._verifier, clock)

    @property
    def name(self) -> str:
        """See `PaymentProvider.name`."""
        return "etc"

    @property
    def traits(self) -> ProviderTraits:
        """See `PaymentProvider.traits`."""
        return TRAITS

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """See `PaymentProvider.start_agreement`; the plate decides which unit it is about."""
        if request.plate is None:
            raise ProviderRefusedError("plate_missing")
        body: dict[str, object] = {
            "number": request.number,
            "plate": request.plate,
            "description": request.description,
            "return_url": request.return_url,
        }
        answer = await self._client.call(ContractStartedAnswer, "POST", "/v1/contracts", body)
        if isinstance(answer, Failure):
            _raise_for_page(answer)
        if answer.number != request.number or answer.plate != request.plate:
            _log_mismatch("contract", request.number)
            raise ProviderUnavailableError(ANSWER_MISMATCH)
        return AgreementStarted(
            reference=answer.reference,
            confirmation_url=answer.confirmation_url,
            expires_at=answer.expires_at,
        )

    async def query_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.query_agreement`."""
        path = f"/v1/contracts/{quote(reference, safe='')}"
        answer = await self._client.call(ContractAnswer, "GET", path)
        return _agreement(reference, plate, answer)

    async def cancel_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.cancel_agreement`."""
        path = f"/v1/contracts/{quote(reference, safe='')}/cancel"
        answer = await self._client.call(ContractAnswer, "POST", path, {})
        return _agreement(reference, plate, answer)

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """See `PaymentProvider.charge`; taken through the antenna of the stay's lane."""
        stay = order.stay
        if order.instrument is None:
            return await self._close_unsendable(order, AGREEMENT_INACTIVE)
        if stay is None or stay.antenna is None:
            return await self._close_unsendable(order, ANTENNA_MISSING)
        body = _deduction_body(order, order.instrument, stay, stay.antenna)
        answer = await self._client.call(
            DeductionAnswer, "POST", "/v1/deductions", body, deadline_s=order.deadline_s
        )
        return _charge(order.number, order.amount, answer)

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`; a unit has no page to pay on."""
        del order
        raise ProviderRefusedError(NO_CHECKOUT)

    async def query(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.query`."""
        path = f"/v1/deductions/{quote(order.number, safe='')}"
        answer = await self._client.call(DeductionAnswer, "GET", path)
        return _charge(order.number, order.amount, answer)

    async def close(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.close`."""
        return await self._close(order.number, order.amount)

    async def refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.refund`; the wire calls it a correction."""
        body: dict[str, object] = {
            "number": order.number,
            "deduction": order.charge.number,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
            "reason": order.reason,
        }
        answer = await self._client.call(CorrectionAnswer, "POST", "/v1/corrections", body)
        return _refund(order, answer)

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.query_refund`."""
        path = f"/v1/corrections/{quote(order.number, safe='')}"
        return _refund(order, await self._client.call(CorrectionAnswer, "GET", path))

    def verify_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """See `PaymentProvider.verify_notices`."""
        sent = {name.lower(): value for name, value in headers.items()}
        if len(body) > BODY_BYTES_MAX:
            raise NoticeRefusedError("body")
        try:
            header = SignatureHeader.parse(sent.get(HEADER.lower(), ""))
            text = signed_text("notice", self._merchant, stamp=header.stamp, body=body)
            self._verifier.check(header, text, self._clock.now())
        except SignatureRefusedError as error:
            raise NoticeRefusedError(error.reason) from error
        return (parse_notice(body),)

    def notice_reply(self, outcome: NoticeOutcome) -> NoticeReply:
        """See `PaymentProvider.notice_reply`."""
        return _REPLIES[outcome]

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """See `PaymentProvider.fetch_settlement`; the day is one of Asia/Shanghai."""
        content = await self._client.file(f"/v1/settlements/{day.isoformat()}")
        if isinstance(content, Failure):
            if content.code == DAY_OPEN:
                raise SettlementNotReadyError(f"the acquirer has not closed {day} yet")
            raise ProviderUnavailableError(content.code)
        try:
            return parse_settlement(content)
        except SettlementMalformedError as error:
            _log.exception("etc_settlement_malformed", day=day.isoformat())
            raise ProviderUnavailableError(ANSWER_MISMATCH) from error

    async def aclose(self) -> None:
        """See `PaymentProvider.aclose`."""
        await self._client.aclose()

    async def _close_unsendable(self, order: ChargeOrder, failure_code: str) -> ChargeResult:
        # An earlier delivery under this number may be on its way: only the acquirer can say no.
        result = await self._close(order.number, order.amount)
        if result.status is not OrderStatus.FAILED:
            return result
        return ChargeResult(
            number=order.number, status=OrderStatus.FAILED, failure_code=failure_code
        )

    async def _close(self, number: str, amount: Money) -> ChargeResult:
        path = f"/v1/deductions/{quote(number, safe='')}/close"
        return _charge(number, amount, await self._client.call(DeductionAnswer, "POST", path, {}))


def _deduction_body(
    order: ChargeOrder, obu: str, stay: StayDetails, antenna: str
) -> dict[str, object]:
    return {
        "number": order.number,
        "contract": order.agreement_reference,
        "obu": obu,
        "plate": stay.plate,
        "antenna": antenna,
        "amount_minor": order.amount.amount_minor,
        "currency": order.amount.currency,
        "description": order.description,
        "entered_at": stay.entered_at.isoformat(),
        "left_at": stay.left_at.isoformat(),
    }


def _agreement(
    reference: str, plate: str | None, answer: ContractAnswer | Failure
) -> AgreementState:
    if isinstance(answer, ContractAnswer):
        if answer.reference == reference and plate in {None, answer.plate}:
            return answer.state()
        _log_mismatch("contract", reference)
    elif answer.says_not_found:
        return AgreementState(reference=reference, status=AgreementStatus.NOT_FOUND)
    return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)


def _charge(number: str, amount: Money, answer: DeductionAnswer | Failure) -> ChargeResult:
    if isinstance(answer, Failure):
        status, code = _verdict(answer)
    elif answer.agrees(number, amount):
        return answer.result()
    else:
        _log_mismatch("deduction", number)
        status, code = OrderStatus.UNKNOWN, ANSWER_MISMATCH
    return ChargeResult(number=number, status=status, failure_code=code)


def _refund(order: RefundOrder, answer: CorrectionAnswer | Failure) -> RefundResult:
    if isinstance(answer, Failure):
        status, code = _verdict(answer)
    elif answer.agrees(order.number, order.amount) and answer.deduction == order.charge.number:
        return answer.result()
    else:
        _log_mismatch("correction", order.number)
        status, code = OrderStatus.UNKNOWN, ANSWER_MISMATCH
    return RefundResult(
        number=order.number, charge_number=order.charge.number, status=status, failure_code=code
    )


def _verdict(failure: Failure) -> tuple[OrderStatus, str | None]:
    # Every other error leaves open whether an earlier delivery of the number took money.
    if failure.says_not_found:
        return OrderStatus.NOT_FOUND, None
    return OrderStatus.UNKNOWN, failure.code


def _raise_for_page(failure: Failure) -> NoReturn:
    if failure.status_code in _REFUSALS:
        raise ProviderRefusedError(failure.code)
    raise ProviderUnavailableError(failure.code)


def _log_mismatch(kind: str, asked: str) -> None:
    # A signed answer about something else is the acquirer's defect or an attack.
    _log.error("etc_answer_mismatch", kind=kind, asked=asked)
