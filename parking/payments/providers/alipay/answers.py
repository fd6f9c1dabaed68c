"""Alipay's nodes, and what they mean in the port's words."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    CLOSED,
    Advance,
    ChargeResult,
    OrderStatus,
)
from parking.payments.providers.alipay.wire_values import CURRENCY, fen

SYNCHRONOUS = "SYNC_DIRECT_PAY"
PAID = frozenset({"TRADE_SUCCESS", "TRADE_FINISHED"})
WAITING = "WAIT_BUYER_PAY"
ENDED = "TRADE_CLOSED"

Text = Annotated[str, Field(min_length=1, max_length=256)]
Yuan = Annotated[str, Field(max_length=16, pattern=r"^[0-9]{1,11}(\.[0-9]{1,2})?$")]

_NodeT = TypeVar("_NodeT", bound="Node")


class Node(BaseModel):
    """A verified node; fields that we do not use may be anything."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Trade(Node):
    """A trade, as `alipay.trade.pay` and `alipay.trade.query` show it.

    Attributes:
        trade_status: Only in a query's answer.
        send_pay_date: When the money reached us: set if it was ever paid, also after a refund.
        advance_amount: What Alipay paid from its own money.
        async_payment_mode: Anything but `SYNC_DIRECT_PAY` means that the money comes later.
        credit_pay_mode: The payer has paid nothing yet, and may never; we have no such contract.
    """

    out_trade_no: Text
    trade_no: Text | None = None
    total_amount: Yuan | None = None
    trade_status: str | None = None
    send_pay_date: str | None = None
    advance_amount: Yuan | None = None
    async_payment_mode: str | None = None
    credit_pay_mode: str | None = None
    trans_currency: str | None = None
    pay_currency: str | None = None

    @property
    def amount(self) -> Money | None:
        """The order's amount; None where the node names none."""
        return None if self.total_amount is None else Money(fen(self.total_amount), CURRENCY)

    @property
    def advance(self) -> Advance | None:
        """Whether Alipay paid from its own money."""
        given = self.advance_amount
        return Advance.OUTSTANDING if given is not None and fen(given) > 0 else None

    def agrees(self, number: str, amount: Money, *, named: bool = True) -> bool:
        """Whether this is about what we asked; `named` asks for an amount in it."""
        if self.out_trade_no != number or self.credit_pay_mode:
            return False
        if {self.trans_currency or CURRENCY, self.pay_currency or CURRENCY} != {CURRENCY}:
            return False
        return self.amount == amount or (self.amount is None and not named)

    def result(self, status: OrderStatus, failure_code: str | None = None) -> ChargeResult:
        """Return it in the port's words."""
        return ChargeResult(
            number=self.out_trade_no,
            status=status,
            failure_code=failure_code,
            provider_reference=self.trade_no,
            amount=self.amount,
            advance=self.advance,
        )


class Refund(Node):
    """A refund, as `alipay.trade.fastpay.refund.query` shows it; all but empty if there is none."""

    out_trade_no: Text | None = None
    out_request_no: Text | None = None
    trade_no: Text | None = None
    refund_amount: Yuan | None = None
    refund_status: str | None = None


class RefundAnswer(Node):
    """The answer of `alipay.trade.refund`; its `refund_fee` is the sum of all refunds so far."""

    out_trade_no: Text


class Cancelled(Node):
    """The answer of `alipay.trade.cancel`."""

    out_trade_no: Text
    retry_flag: str
    action: str | None = None


class Closed(Node):
    """The answer of `alipay.trade.close`."""

    out_trade_no: Text


class Agreement(Node):
    """An agreement, as `alipay.user.agreement.query` shows it."""

    external_agreement_no: Text
    agreement_no: Text
    status: str
    alipay_logon_id: Text | None = None
    sign_time: str | None = None
    invalid_time: str | None = None


class Entered(Node):
    """The answer of `alipay.eco.mycar.parking.enterinfo.sync`: its number of the whole stay."""

    serial_no: Text


class Bill(Node):
    """The answer of `alipay.data.dataservice.bill.downloadurl.query`."""

    bill_download_url: Annotated[str, Field(min_length=1, max_length=4000)]


def read(kind: type[_NodeT], node: dict[str, Any]) -> _NodeT | None:
    """Return the node as `kind`; None if it is not one."""
    try:
        return kind.model_validate(node)
    except ValidationError:
        return None


def unknown(number: str, failure_code: str) -> ChargeResult:
    """Return that nothing may be concluded."""
    return ChargeResult(number=number, status=OrderStatus.UNKNOWN, failure_code=failure_code)


def paid_result(trade: Trade | None, number: str, amount: Money) -> ChargeResult:
    """Return what a successful `alipay.trade.pay` proves."""
    if trade is None or not trade.agrees(number, amount):
        return unknown(number, ANSWER_MISMATCH)
    mode = trade.async_payment_mode
    later = mode is not None and mode not in {"", SYNCHRONOUS}
    return trade.result(OrderStatus.ACCEPTED if later else OrderStatus.SUCCEEDED)


def trade_result(trade: Trade | None, number: str, amount: Money) -> ChargeResult:
    """Return what an `alipay.trade.query` proves."""
    if trade is None or not trade.agrees(number, amount):
        return unknown(number, ANSWER_MISMATCH)
    if trade.trade_status in PAID:
        return trade.result(OrderStatus.SUCCEEDED)
    if trade.trade_status == WAITING:
        return trade.result(OrderStatus.ACCEPTED)
    if trade.trade_status == ENDED:
        # A trade that was paid and wholly refunded is closed too: its money was taken.
        if trade.send_pay_date:
            return trade.result(OrderStatus.SUCCEEDED)
        return trade.result(OrderStatus.FAILED, CLOSED)
    return unknown(number, ANSWER_MISMATCH)
