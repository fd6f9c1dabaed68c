"""Refunds under our own numbers: `out_request_no`."""

import structlog

from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    NUMBER_CONFLICT,
    OrderStatus,
    RefundOrder,
    RefundResult,
)
from parking.payments.providers.alipay.answers import Refund, RefundAnswer, read
from parking.payments.providers.alipay.codes import (
    REFUND_CONFLICTS,
    TRADE_MISSING,
    doubt,
    refund_failure,
)
from parking.payments.providers.alipay.transport import SUCCESS, Answer, Failure, GatewayClient
from parking.payments.providers.alipay.wire_values import CURRENCY, fen, subject, yuan

REFUNDED = "REFUND_SUCCESS"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Refunds:
    """Money back, and where it stands."""

    def __init__(self, client: GatewayClient) -> None:
        self._client = client

    async def refund(self, order: RefundOrder) -> RefundResult:
        """Give money back.

        The answer names the sum of all refunds of the trade, never this one's amount, and
        `fund_change` only says whether this very call moved money: so the refund is asked about.
        """
        content = {
            "out_trade_no": order.charge.number,
            "out_request_no": order.number,
            "refund_amount": yuan(order.amount),
            "refund_reason": subject(order.reason),
        }
        answer = await self._client.call("alipay.trade.refund", content)
        if isinstance(answer, Failure):
            return _result(order, OrderStatus.UNKNOWN, answer.code)
        if answer.code == SUCCESS:
            given = read(RefundAnswer, answer.node)
            if given is None or given.out_trade_no != order.charge.number:
                return _result(order, OrderStatus.UNKNOWN, ANSWER_MISMATCH)
            return await self._confirmed(order)
        return await self._refused(order, answer)

    async def query(self, order: RefundOrder) -> RefundResult:
        """Return where it stands; `NOT_FOUND` also for one that is not carried out yet."""
        content = {"out_trade_no": order.charge.number, "out_request_no": order.number}
        answer = await self._client.call("alipay.trade.fastpay.refund.query", content)
        if isinstance(answer, Failure):
            return _result(order, OrderStatus.UNKNOWN, answer.code)
        if answer.sub_code in TRADE_MISSING:
            return _result(order, OrderStatus.NOT_FOUND)
        refund = read(Refund, answer.node) if answer.code == SUCCESS else None
        if refund is None:
            return _result(order, OrderStatus.UNKNOWN, doubt(answer.code, answer.sub_code))
        return _found(order, refund)

    async def _confirmed(self, order: RefundOrder) -> RefundResult:
        found = await self.query(order)
        if found.status is OrderStatus.NOT_FOUND:
            # Documented: just after the call, a query may still see nothing.
            return _result(order, OrderStatus.ACCEPTED, amount=order.amount)
        return found

    async def _refused(self, order: RefundOrder, answer: Answer) -> RefundResult:
        if answer.sub_code in REFUND_CONFLICTS:
            return _result(order, OrderStatus.UNKNOWN, NUMBER_CONFLICT)
        failure_code = refund_failure(answer.sub_code)
        if failure_code is None:
            return _result(order, OrderStatus.UNKNOWN, doubt(answer.code, answer.sub_code))
        _log.info("alipay_refund_refused", number=order.number, sub_code=answer.sub_code)
        # An earlier delivery of the same number may have been carried out before this refusal.
        found = await self.query(order)
        if found.status is OrderStatus.NOT_FOUND:
            return _result(order, OrderStatus.FAILED, failure_code)
        return found


def _found(order: RefundOrder, refund: Refund) -> RefundResult:
    if refund.refund_status is None:
        return _result(order, OrderStatus.NOT_FOUND)
    amount = None if refund.refund_amount is None else Money(fen(refund.refund_amount), CURRENCY)
    agrees = (
        refund.out_trade_no == order.charge.number
        and refund.out_request_no == order.number
        and amount == order.amount
    )
    if not agrees or refund.refund_status != REFUNDED:
        return _result(order, OrderStatus.UNKNOWN, ANSWER_MISMATCH)
    return RefundResult(
        number=order.number,
        charge_number=order.charge.number,
        status=OrderStatus.SUCCEEDED,
        provider_reference=refund.trade_no,
        amount=amount,
    )


def _result(
    order: RefundOrder,
    status: OrderStatus,
    failure_code: str | None = None,
    *,
    amount: Money | None = None,
) -> RefundResult:
    return RefundResult(
        number=order.number,
        charge_number=order.charge.number,
        status=status,
        failure_code=failure_code,
        amount=amount,
    )
