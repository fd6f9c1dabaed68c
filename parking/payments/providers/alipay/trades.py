"""Trades: agreement pay, the hosted page, asking, closing, and the way out of an unknown."""

from datetime import datetime, timedelta

import structlog

from parking.kit.clock import Clock
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    ANSWER_MISMATCH,
    CLOSED,
    NO_ANSWER,
    NUMBER_CONFLICT,
    AgreementStatus,
    ChargeOrder,
    ChargeResult,
    Checkout,
    CheckoutOrder,
    OrderStatus,
    ProviderRefusedError,
    SentOrder,
)
from parking.payments.providers.alipay.agreements import PRODUCT_CODE, Agreements
from parking.payments.providers.alipay.answers import ENDED as TRADE_ENDED
from parking.payments.providers.alipay.answers import (
    Cancelled,
    Closed,
    Refund,
    Trade,
    paid_result,
    read,
    trade_result,
    unknown,
)
from parking.payments.providers.alipay.codes import (
    ENDED,
    NUMBER_TAKEN,
    TRADE_CLOSED,
    TRADE_MISSING,
    decline,
    doubt,
)
from parking.payments.providers.alipay.transport import (
    SUCCESS,
    WAITING,
    Answer,
    Failure,
    GatewayClient,
)
from parking.payments.providers.alipay.wire_values import CURRENCY, stamp, subject, yuan

# Alipay learns of the order only when the payer confirms it, so an unused page cannot be closed:
# it is over when its time is. Short, for until then nothing else may be tried.
PAGE_LIFETIME = timedelta(minutes=5)
PAGE_TIME_MIN = timedelta(minutes=1)
# Between Alipay's clock and ours, and for a payment confirmed in the last second.
PAGE_MARGIN = timedelta(minutes=1)
CURRENCY_REFUSED = "currency_not_supported"
GIVEN_BACK = "refund"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Trades:
    """Orders under our own numbers: `out_trade_no`."""

    def __init__(self, client: GatewayClient, agreements: Agreements, clock: Clock) -> None:
        self._client = client
        self._agreements = agreements
        self._clock = clock

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """Take the money under an agreement."""
        if order.amount.currency != CURRENCY:
            return _failed(order.number, CURRENCY_REFUSED)
        agreement_no = order.instrument or await self._agreement_no(order)
        if isinstance(agreement_no, ChargeResult):
            return agreement_no
        content = {
            "out_trade_no": order.number,
            "total_amount": yuan(order.amount),
            "subject": subject(order.description),
            "product_code": PRODUCT_CODE,
            "agreement_params": {"agreement_no": agreement_no},
        }
        answer = await self._client.call("alipay.trade.pay", content, deadline_s=order.deadline_s)
        if isinstance(answer, Failure):
            return unknown(order.number, answer.code)
        if answer.code == SUCCESS:
            return paid_result(read(Trade, answer.node), order.number, order.amount)
        if answer.code == WAITING:
            return _waiting(order, read(Trade, answer.node))
        return await self._refused(order, answer)

    def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """Return the page for a phone's browser.

        Raises:
            ProviderRefusedError: the currency is another, or the number's time is over.
        """
        if order.amount.currency != CURRENCY:
            raise ProviderRefusedError(CURRENCY_REFUSED)
        now = self._clock.now()
        expires_at = (order.sent_at or now) + PAGE_LIFETIME
        if expires_at - now < PAGE_TIME_MIN:
            raise ProviderRefusedError(CLOSED)
        content = {
            "out_trade_no": order.number,
            "total_amount": yuan(order.amount),
            "subject": subject(order.description),
            "product_code": "QUICK_WAP_WAY",
            "quit_url": order.return_url,
            "time_expire": stamp(expires_at),
        }
        url = self._client.page_url("alipay.trade.wap.pay", content, order.return_url)
        return Checkout(url=url, expires_at=expires_at)

    async def query(self, order: SentOrder) -> ChargeResult:
        """Return where an order stands."""
        answer = await self._client.call("alipay.trade.query", {"out_trade_no": order.number})
        if isinstance(answer, Failure):
            return unknown(order.number, answer.code)
        if answer.code == SUCCESS:
            return await self._known(order, read(Trade, answer.node))
        if answer.sub_code not in TRADE_MISSING:
            return unknown(order.number, doubt(answer.code, answer.sub_code))
        if not order.is_checkout:
            return ChargeResult(number=order.number, status=OrderStatus.NOT_FOUND)
        if self._clock.now() < _page_ends_at(order):
            # The page is out there, and may be paid.
            return ChargeResult(number=order.number, status=OrderStatus.ACCEPTED)
        return _failed(order.number, CLOSED)

    async def close(self, order: SentOrder) -> ChargeResult:
        """Make sure that an order takes no money any more, if Alipay lets us."""
        found = await self.query(order)
        if found.status is OrderStatus.ACCEPTED:
            return await self._close_unpaid(order, found)
        if found.status is OrderStatus.NOT_FOUND:
            return await self.seal(order.number, CLOSED)
        return found

    async def seal(self, number: str, failure_code: str) -> ChargeResult:
        """Cancel a trade that is unpaid or unknown, so that no late delivery of it can pay.

        Money that an earlier delivery took is given back by the same call.
        """
        answer = await self._client.call("alipay.trade.cancel", {"out_trade_no": number})
        if isinstance(answer, Failure):
            return unknown(number, answer.code)
        cancelled = read(Cancelled, answer.node) if answer.code == SUCCESS else None
        if cancelled is None:
            return unknown(number, doubt(answer.code, answer.sub_code))
        if cancelled.out_trade_no != number:
            return unknown(number, ANSWER_MISMATCH)
        if cancelled.retry_flag != "N":
            return unknown(number, failure_code)
        if cancelled.action == GIVEN_BACK:
            _log.error("alipay_cancel_gave_back", number=number)
        return _failed(number, failure_code)

    async def _close_unpaid(self, order: SentOrder, found: ChargeResult) -> ChargeResult:
        answer = await self._client.call("alipay.trade.close", {"out_trade_no": order.number})
        if isinstance(answer, Answer):
            closed = read(Closed, answer.node) if answer.code == SUCCESS else None
            if closed is not None and closed.out_trade_no == order.number:
                return _failed(order.number, CLOSED, found)
        # Paid meanwhile, or a page that nobody has used: a query knows which.
        return await self.query(order)

    async def _known(self, order: SentOrder, trade: Trade | None) -> ChargeResult:
        result = trade_result(trade, order.number, order.amount)
        is_over = trade is not None and trade.trade_status == TRADE_ENDED
        if is_over and result.status is OrderStatus.SUCCEEDED:
            return await self._unless_cancelled(order, result)
        return result

    async def _unless_cancelled(self, order: SentOrder, paid: ChargeResult) -> ChargeResult:
        """Tell a payment that `seal` gave back from one that we refunded, which stays a payment.

        The answer to `seal` may be lost. What it gave back has no number of ours, and is asked for
        by the trade's; our refunds have numbers of their own.
        """
        content = {"out_trade_no": order.number, "out_request_no": order.number}
        answer = await self._client.call("alipay.trade.fastpay.refund.query", content)
        if isinstance(answer, Failure):
            return unknown(order.number, answer.code)
        refund = read(Refund, answer.node) if answer.code == SUCCESS else None
        if refund is None:
            return unknown(order.number, doubt(answer.code, answer.sub_code))
        return paid if refund.refund_status is None else _failed(order.number, CLOSED, paid)

    async def _agreement_no(self, order: ChargeOrder) -> str | ChargeResult:
        state = await self._agreements.query(order.agreement_reference)
        if state.status is AgreementStatus.ACTIVE and state.instrument is not None:
            return state.instrument
        if state.status is AgreementStatus.UNKNOWN:
            return unknown(order.number, NO_ANSWER)
        return _failed(order.number, AGREEMENT_INACTIVE)

    async def _refused(self, order: ChargeOrder, answer: Answer) -> ChargeResult:
        if answer.sub_code in NUMBER_TAKEN:
            return unknown(order.number, NUMBER_CONFLICT)
        if answer.sub_code in ENDED:
            found = await self.query(_sent(order, self._clock.now()))
            # Cancelled before it came: closed, and yet no trade that could be shown.
            is_gone = found.status is OrderStatus.NOT_FOUND and answer.sub_code == TRADE_CLOSED
            return _failed(order.number, CLOSED) if is_gone else found
        failure_code = decline(answer.sub_code)
        if failure_code is None:
            return unknown(order.number, doubt(answer.code, answer.sub_code))
        _log.info("alipay_declined", number=order.number, sub_code=answer.sub_code)
        # This delivery took nothing; an earlier one may still be on its way.
        return await self.seal(order.number, failure_code)


def _waiting(order: ChargeOrder, trade: Trade | None) -> ChargeResult:
    if trade is None or not trade.agrees(order.number, order.amount, named=False):
        return unknown(order.number, ANSWER_MISMATCH)
    return trade.result(OrderStatus.ACCEPTED)


def _failed(number: str, failure_code: str, found: ChargeResult | None = None) -> ChargeResult:
    return ChargeResult(
        number=number,
        status=OrderStatus.FAILED,
        failure_code=failure_code,
        provider_reference=found.provider_reference if found else None,
        amount=found.amount if found else None,
    )


def _sent(order: ChargeOrder, sent_at: datetime) -> SentOrder:
    return SentOrder(number=order.number, amount=order.amount, is_checkout=False, sent_at=sent_at)


def _page_ends_at(order: SentOrder) -> datetime:
    return order.sent_at + PAGE_LIFETIME + PAGE_MARGIN
