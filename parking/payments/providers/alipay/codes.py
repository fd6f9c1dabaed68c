"""Alipay's words for why, and what they prove.

Only what is listed proves anything: whatever else an answer says, an earlier delivery of the same
number may have taken money, and so the outcome is unknown until it is asked about.
"""

from parking.payments.port import AGREEMENT_INACTIVE, DECLINED

SYSTEM_ERROR = "system_error"
EXCEEDS_CHARGE = "exceeds_charge"
NOT_REFUNDABLE = "not_refundable"

NUMBER_TAKEN = frozenset({"ACQ.CONTEXT_INCONSISTENT", "ACQ.TRADE_BUYER_NOT_MATCH"})
# The trade has ended: how, only a query says.
TRADE_CLOSED = "ACQ.TRADE_HAS_CLOSE"
ENDED = frozenset({"ACQ.TRADE_HAS_SUCCESS", TRADE_CLOSED, "ACQ.TRADE_HAS_FINISHED"})
TRADE_MISSING = frozenset({"ACQ.TRADE_NOT_EXIST"})
AGREEMENT_MISSING = frozenset({"USER_AGREEMENT_NOT_EXIST", "ACQ.USER_AGREEMENT_NOT_EXIST"})
AGREEMENT_ENDED = frozenset({"AGREEMENT_HAS_UNSIGNED"})
# The documentation lists the first, the gateway says the second.
BILL_MISSING = frozenset({"BILL_NOT_EXIST", "isp.bill_not_exist"})

_INACTIVE = frozenset(
    {
        "ACQ.AGREEMENT_ERROR",
        "ACQ.AGREEMENT_INVALID",
        "ACQ.AGREEMENT_NOT_EXIST",
        "ACQ.AGREEMENT_STATUS_NOT_NORMAL",
    }
)
_DECLINED = frozenset(
    {
        "ACQ.BUYER_BALANCE_NOT_ENOUGH",
        "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
        "ACQ.BUYER_ENABLE_STATUS_FORBID",
        "ACQ.BUYER_NOT_EXIST",
        "ACQ.BUYER_UNSUPPORT_ADVANCE",
        "ACQ.ERROR_BALANCE_PAYMENT_DISABLE",
        "ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT",
        "ACQ.MOBILE_PAYMENT_SWITCH_OFF",
        "ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE",
        "ACQ.ORDER_UNSUPPORT_ADVANCE",
        "ACQ.PAYMENT_FAIL",
        "ACQ.PAYMENT_REQUEST_HAS_RISK",
    }
)
# These pass as they come: a limit, or a contract, that somebody can do something about.
_AS_THEY_COME = frozenset(
    {
        "ACQ.ACCESS_FORBIDDEN",
        "ACQ.BEYOND_PAY_RESTRICTION",
        "ACQ.BEYOND_PER_RECEIPT_DAY_RESTRICTION",
        "ACQ.BEYOND_PER_RECEIPT_RESTRICTION",
        "ACQ.BEYOND_PER_RECEIPT_SINGLE_RESTRICTION",
        "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR",
        "ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR",
        "ACQ.CYCLE_PAY_DATE_NOT_MATCH",
        "ACQ.CYCLE_PAY_SINGLE_FEE_EXCEED",
        "ACQ.CYCLE_PAY_TOTAL_FEE_EXCEED",
        "ACQ.CYCLE_PAY_TOTAL_TIMES_EXCEED",
        "ACQ.EXIST_FORBIDDEN_WORD",
        "ACQ.INVALID_PARAMETER",
        "ACQ.MERCHANT_AGREEMENT_INVALID",
        "ACQ.MERCHANT_AGREEMENT_NOT_EXIST",
        "ACQ.MERCHANT_STATUS_NOT_NORMAL",
        "ACQ.MERCHANT_UNSUPPORT_ADVANCE",
        "ACQ.PRODUCT_AMOUNT_LIMIT_ERROR",
        "ACQ.REQUEST_AMOUNT_EXCEED",
        "ACQ.SELLER_BEEN_BLOCKED",
        "ACQ.TOTAL_FEE_EXCEED",
    }
)
_REFUND_FAILURES = {
    "ACQ.NOT_ALLOW_PARTIAL_REFUND": NOT_REFUNDABLE,
    "ACQ.REASON_TRADE_BEEN_FREEZEN": NOT_REFUNDABLE,
    "ACQ.REASON_TRADE_REFUND_FEE_ERR": EXCEEDS_CHARGE,
    "ACQ.REASON_TRADE_STATUS_INVALID": NOT_REFUNDABLE,
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": EXCEEDS_CHARGE,
    "ACQ.REFUND_FEE_ERROR": EXCEEDS_CHARGE,
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": "ACQ.SELLER_BALANCE_NOT_ENOUGH",
    "ACQ.TRADE_HAS_CLOSE": NOT_REFUNDABLE,
    "ACQ.TRADE_HAS_FINISHED": NOT_REFUNDABLE,
    "ACQ.TRADE_NOT_ALLOW_REFUND": NOT_REFUNDABLE,
    "ACQ.TRADE_NOT_EXIST": NOT_REFUNDABLE,
    "ACQ.TRADE_STATUS_ERROR": NOT_REFUNDABLE,
}
REFUND_CONFLICTS = frozenset({"ACQ.DISCORDANT_REPEAT_REQUEST"})


def decline(sub_code: str) -> str | None:
    """Return the port's word for a refusal to pay; None where it proves nothing."""
    if sub_code in _INACTIVE:
        return AGREEMENT_INACTIVE
    if sub_code in _DECLINED:
        return DECLINED
    return sub_code if sub_code in _AS_THEY_COME else None


def refund_failure(sub_code: str) -> str | None:
    """Return the port's word for a refusal to give back; None where it proves nothing."""
    return _REFUND_FAILURES.get(sub_code)


def doubt(code: str, sub_code: str) -> str:
    """Return why an outcome is unknown, for an answer that proves nothing."""
    word = sub_code or code
    # It is `ACQ.SYSTEM_ERROR`, `aop.ACQ.SYSTEM_ERROR`, and in places `AQC.SYSTEM_ERROR`.
    return SYSTEM_ERROR if word.endswith("SYSTEM_ERROR") or word == "20000" else word
