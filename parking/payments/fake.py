"""A payment provider in memory, for tests and for trying the domain without a network.

It passes the same contract suite as the real adapters. `play` makes its next answer go wrong.
"""

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from parking.kit.clock import Clock
from parking.payments.fake_settlement import settled_on, total_of
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    ANSWER_MISMATCH,
    CLOSED,
    DECLINED,
    NO_ANSWER,
    NUMBER_CONFLICT,
    UNTRUSTED_ANSWER,
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
    NoticeKind,
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
)

ORDERS_MAX = 100_000
NOTICES_MAX = 10_000
NOTICE_WINDOW = timedelta(seconds=300)
PAGE_LIFETIME = timedelta(minutes=30)
KEY_ID = "fake-1"
_NOTICE_BODY = TypeAdapter(tuple[int, float])
TRAITS = ProviderTraits(account=AccountKind.WALLET)
_KEY = b"the fake provider's notice key, known to everyone"


class Fault(StrEnum):
    """What the next call that moves money, or opens a page, does."""

    DECLINE = "decline"
    ACCEPT = "accept"
    ACCEPT_GUARANTEED = "accept_guaranteed"
    LOSE_ANSWER_BEFORE = "lose_answer_before"
    LOSE_ANSWER_AFTER = "lose_answer_after"
    UNKNOWN = "unknown"
    WRONG_AMOUNT = "wrong_amount"
    BAD_ANSWER_SIGNATURE = "bad_answer_signature"


@dataclass(slots=True)
class _Order:
    asked: ChargeOrder | CheckoutOrder | None
    result: ChargeResult


@dataclass(frozen=True, slots=True)
class SentNotice:
    """What the fake would have posted to us."""

    headers: dict[str, str]
    body: bytes


class FakeProvider:
    """A `PaymentProvider` that keeps its books in memory."""

    def __init__(
        self, clock: Clock, *, name: str = "fake", traits: ProviderTraits = TRAITS
    ) -> None:
        self._clock = clock
        self._name = name
        self._traits = traits
        self._agreements: dict[str, AgreementState] = {}
        self._requests: dict[str, AgreementRequest] = {}
        self._orders: dict[str, _Order] = {}
        self._refunds: dict[str, tuple[RefundOrder, RefundResult]] = {}
        self._faults: deque[Fault] = deque(maxlen=ORDERS_MAX)
        self._told: list[Notice] = []
        self.notices: deque[SentNotice] = deque(maxlen=NOTICES_MAX)

    @property
    def name(self) -> str:
        """See `PaymentProvider.name`."""
        return self._name

    @property
    def traits(self) -> ProviderTraits:
        """See `PaymentProvider.traits`."""
        return self._traits

    def play(self, *faults: Fault) -> None:
        """Make the next calls go wrong, one after the other."""
        self._faults.extend(faults)

    def confirm(self, reference: str) -> None:
        """Do what the payer does on the confirmation page."""
        self._end_agreement(reference, AgreementStatus.ACTIVE, NoticeKind.AGREEMENT_SIGNED)

    def pay(self, number: str) -> bool:
        """Do what the payer does on the payment page; returns whether money moved."""
        return self.settle(number, OrderStatus.SUCCEEDED)

    def settle(self, number: str, status: OrderStatus, failure_code: str | None = None) -> bool:
        """End an accepted order; returns whether it was one that had not ended."""
        order = self._orders[number]
        if order.result.status is not OrderStatus.ACCEPTED:
            return False
        order.result = replace(order.result, status=status, failure_code=failure_code)
        succeeded = status is OrderStatus.SUCCEEDED
        kind = NoticeKind.CHARGE_SUCCEEDED if succeeded else NoticeKind.CHARGE_FAILED
        self._notify(kind, order.result)
        return True

    def captured(self, currency: str) -> int:
        """Return the minor units taken and not given back."""
        taken = [order.result for order in self._orders.values()]
        given = [result for _, result in self._refunds.values()]
        return total_of(taken, currency) - total_of(given, currency)

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """See `PaymentProvider.start_agreement`."""
        fault = self._page_fault()
        known = self._requests.setdefault(request.number, request)
        if known != request:
            raise ProviderRefusedError(NUMBER_CONFLICT)
        reference = f"agr_{request.number}"
        pending = AgreementState(reference=reference, status=AgreementStatus.PENDING)
        self._agreements.setdefault(reference, pending)
        if fault is not None:
            raise ProviderUnavailableError(NO_ANSWER)
        return AgreementStarted(
            reference=reference,
            confirmation_url=f"https://fake.invalid/confirm/{request.number}",
            expires_at=self._clock.now() + PAGE_LIFETIME,
        )

    async def query_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.query_agreement`."""
        del plate
        missing = AgreementState(reference=reference, status=AgreementStatus.NOT_FOUND)
        return self._agreements.get(reference, missing)

    async def cancel_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.cancel_agreement`."""
        del plate
        if reference in self._agreements:
            kind = NoticeKind.AGREEMENT_CANCELLED
            self._end_agreement(reference, AgreementStatus.CANCELLED, kind)
        return await self.query_agreement(reference)

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """See `PaymentProvider.charge`."""
        fault = self._faults.popleft() if self._faults else None
        if fault is Fault.LOSE_ANSWER_BEFORE:
            return _unknown(order.number, NO_ANSWER)
        known = self._orders.get(order.number)
        if known is None:
            known = self._record(order, fault)
        elif known.asked is not None and not _same(known.asked, order):
            return _unknown(order.number, NUMBER_CONFLICT)
        return _distort(known.result, fault)

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`."""
        fault = self._page_fault()
        known = self._orders.get(order.number)
        if known is None:
            self._record(order, Fault.ACCEPT)
        elif known.asked != order:
            raise ProviderRefusedError(NUMBER_CONFLICT)
        if fault is not None:
            raise ProviderUnavailableError(NO_ANSWER)
        return Checkout(
            url=f"https://fake.invalid/pay/{order.number}",
            expires_at=self._clock.now() + PAGE_LIFETIME,
        )

    async def query(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.query`."""
        known = self._orders.get(order.number)
        if known is None:
            return ChargeResult(number=order.number, status=OrderStatus.NOT_FOUND)
        if known.result.amount not in {order.amount, None}:
            return _unknown(order.number, ANSWER_MISMATCH)
        return known.result

    async def close(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.close`."""
        number = order.number
        known = self._orders.get(number)
        if known is None:
            closed = ChargeResult(number=number, status=OrderStatus.FAILED, failure_code=CLOSED)
            self._orders[number] = _Order(None, closed)
        elif not known.result.guaranteed:
            self.settle(number, OrderStatus.FAILED, CLOSED)
        return await self.query(order)

    async def refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.refund`."""
        fault = self._faults.popleft() if self._faults else None
        if fault is Fault.LOSE_ANSWER_BEFORE:
            return _refund_unknown(order, NO_ANSWER)
        if order.number not in self._refunds:
            result = self._decide_refund(order, fault)
            self._refunds[order.number] = (order, result)
            succeeded = result.status is OrderStatus.SUCCEEDED
            self._notify(
                NoticeKind.REFUND_SUCCEEDED if succeeded else NoticeKind.REFUND_FAILED, result
            )
        known, result = self._refunds[order.number]
        if not _same_refund(known, order):
            return _refund_unknown(order, NUMBER_CONFLICT)
        return result if fault in {None, Fault.DECLINE} else _refund_unknown(order, NO_ANSWER)

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.query_refund`."""
        if order.number not in self._refunds:
            return replace(_refund_unknown(order, None), status=OrderStatus.NOT_FOUND)
        known, result = self._refunds[order.number]
        return result if _same_refund(known, order) else _refund_unknown(order, ANSWER_MISMATCH)

    def verify_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """See `PaymentProvider.verify_notices`."""
        sent = {name.lower(): value for name, value in headers.items()}
        if sent.get("fake-key") != KEY_ID:
            raise NoticeRefusedError("key")
        if not hmac.compare_digest(sent.get("fake-signature", ""), _signature(body)):
            raise NoticeRefusedError("signature")
        position, sent_at = _NOTICE_BODY.validate_json(body)
        if abs(self._clock.now().timestamp() - sent_at) > NOTICE_WINDOW.total_seconds():
            raise NoticeRefusedError("timestamp")
        return (self._told[position],)

    def notice_reply(self, outcome: NoticeOutcome) -> NoticeReply:
        """See `PaymentProvider.notice_reply`."""
        statuses = {NoticeOutcome.TAKEN: 204, NoticeOutcome.REFUSED: 401, NoticeOutcome.BUSY: 503}
        return NoticeReply(status=statuses.get(outcome, 422))

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """See `PaymentProvider.fetch_settlement`."""
        zone = ZoneInfo(self._traits.timezone)
        if day >= self._clock.now().astimezone(zone).date():
            raise SettlementNotReadyError(f"date: expected a day before today, not {day}")
        return settled_on(day, zone, self._told)

    async def aclose(self) -> None:
        """See `PaymentProvider.aclose`."""

    def _page_fault(self) -> Fault | None:
        fault = self._faults.popleft() if self._faults else None
        if fault is Fault.LOSE_ANSWER_BEFORE:
            raise ProviderUnavailableError(NO_ANSWER)
        return fault

    def _record(self, order: ChargeOrder | CheckoutOrder, fault: Fault | None) -> _Order:
        if len(self._orders) >= ORDERS_MAX:
            raise MemoryError("the fake keeps only so many orders")
        self._orders[order.number] = _Order(
            order,
            ChargeResult(
                number=order.number,
                status=OrderStatus.ACCEPTED,
                guaranteed=fault is Fault.ACCEPT_GUARANTEED,
                provider_reference=f"txn_{order.number}",
                amount=order.amount,
            ),
        )
        if isinstance(order, ChargeOrder) and not self._active(order.agreement_reference):
            self.settle(order.number, OrderStatus.FAILED, AGREEMENT_INACTIVE)
        elif fault is Fault.DECLINE:
            self.settle(order.number, OrderStatus.FAILED, DECLINED)
        elif fault not in {Fault.ACCEPT, Fault.ACCEPT_GUARANTEED, Fault.UNKNOWN}:
            self.settle(order.number, OrderStatus.SUCCEEDED)
        return self._orders[order.number]

    def _active(self, reference: str) -> bool:
        state = self._agreements.get(reference)
        return state is not None and state.status is AgreementStatus.ACTIVE

    def _decide_refund(self, order: RefundOrder, fault: Fault | None) -> RefundResult:
        charge = self._orders.get(order.charge.number)
        failure_code = DECLINED if fault is Fault.DECLINE else None
        if charge is None or charge.result.status is not OrderStatus.SUCCEEDED:
            failure_code = "not_refundable"
        elif self._refundable(charge.result, order.amount.currency) < order.amount.amount_minor:
            failure_code = "exceeds_charge"
        return RefundResult(
            number=order.number,
            charge_number=order.charge.number,
            status=OrderStatus.FAILED if failure_code else OrderStatus.SUCCEEDED,
            failure_code=failure_code,
            provider_reference=f"ref_{order.number}",
            amount=order.amount,
        )

    def _refundable(self, charge: ChargeResult, currency: str) -> int:
        amount = charge.amount
        if amount is None or amount.currency != currency:
            return 0
        given = [
            result
            for order, result in self._refunds.values()
            if order.charge.number == charge.number
        ]
        return amount.amount_minor - total_of(given, amount.currency)

    def _end_agreement(self, reference: str, status: AgreementStatus, kind: NoticeKind) -> None:
        known = self._agreements[reference]
        if known.status is status or known.status is AgreementStatus.CANCELLED:
            return
        now = self._clock.now()
        if status is AgreementStatus.ACTIVE:
            state = replace(known, status=status, signed_at=now, payer_hint="Test account 1")
        else:
            state = replace(known, status=status, cancelled_at=now)
        self._agreements[reference] = state
        self._notify(kind, state)

    def _notify(
        self, kind: NoticeKind, result: AgreementState | ChargeResult | RefundResult
    ) -> None:
        now = self._clock.now()
        position = len(self._told)
        notice_id = f"fake-notice-{position}"
        self._told.append(Notice(notice_id=notice_id, kind=kind, occurred_at=now, result=result))
        body = json.dumps([position, now.timestamp()]).encode()
        headers = {"Fake-Key": KEY_ID, "Fake-Signature": _signature(body)}
        self.notices.append(SentNotice(headers, body))


def _signature(body: bytes) -> str:
    return hmac.new(_KEY, body, hashlib.sha256).hexdigest()


def _same(known: ChargeOrder | CheckoutOrder, order: ChargeOrder) -> bool:
    # The deadline is how long we wait, not what we ask for.
    return isinstance(known, ChargeOrder) and known == replace(order, deadline_s=known.deadline_s)


def _same_refund(known: RefundOrder, order: RefundOrder) -> bool:
    return (known.charge.number, known.amount, known.reason) == (
        order.charge.number,
        order.amount,
        order.reason,
    )


def _distort(result: ChargeResult, fault: Fault | None) -> ChargeResult:
    codes: dict[Fault | None, str] = {
        Fault.LOSE_ANSWER_AFTER: NO_ANSWER,
        Fault.UNKNOWN: "system_error",
        Fault.WRONG_AMOUNT: ANSWER_MISMATCH,
        Fault.BAD_ANSWER_SIGNATURE: UNTRUSTED_ANSWER,
    }
    return _unknown(result.number, codes[fault]) if fault in codes else result


def _unknown(number: str, failure_code: str) -> ChargeResult:
    return ChargeResult(number=number, status=OrderStatus.UNKNOWN, failure_code=failure_code)


def _refund_unknown(order: RefundOrder, failure_code: str | None) -> RefundResult:
    return RefundResult(
        number=order.number,
        charge_number=order.charge.number,
        status=OrderStatus.UNKNOWN,
        failure_code=failure_code,
    )
