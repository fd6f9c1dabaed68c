"""WeChat Pay's JSON, and what it means in the port's words."""

from datetime import UTC
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from parking.kit.money import Money
from parking.payments.port import (
    CLOSED,
    DECLINED,
    Advance,
    AgreementState,
    AgreementStatus,
    ChargeResult,
    OrderStatus,
    RefundResult,
)

CURRENCY = "CNY"
# The bank_type of an order that WeChat paid from its own money.
ADVANCED_BANK_TYPE = "BPA"
ABNORMAL = "abnormal"

AmountMinor = Annotated[int, Field(gt=0, lt=2**53)]
Text = Annotated[str, Field(min_length=1, max_length=256)]
Time = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]
# What has no value yet may be left out, or be an empty text.
_Blank = BeforeValidator(lambda value: None if value == "" else value)
MaybeTime = Annotated[Time | None, _Blank]
Flag = Annotated[Literal["Y", "N"] | None, _Blank]
RefundState = Literal["SUCCESS", "PROCESSING", "CLOSED", "ABNORMAL"]

_SUCCEEDED, _ACCEPTED = OrderStatus.SUCCEEDED, OrderStatus.ACCEPTED
# REFUND: it was paid, and then given back. The second line is of pages only.
_CHARGE_STATES: dict[str, tuple[OrderStatus, str | None]] = {
    "SUCCESS": (_SUCCEEDED, None),
    "REFUND": (_SUCCEEDED, None),
    "ACCEPTED": (_ACCEPTED, None),
    "PAY_FAIL": (OrderStatus.FAILED, DECLINED),
    # The same in the examples of its notice.
    "FAIL": (OrderStatus.FAILED, DECLINED),
    "NOTPAY": (_ACCEPTED, None),
    "USERPAYING": (_ACCEPTED, None),
    "CLOSED": (OrderStatus.FAILED, CLOSED),
    "REVOKED": (OrderStatus.FAILED, CLOSED),
    "PAYERROR": (OrderStatus.FAILED, DECLINED),
}
_REFUND_STATES: dict[str, tuple[OrderStatus, str | None]] = {
    "SUCCESS": (_SUCCEEDED, None),
    "PROCESSING": (_ACCEPTED, None),
    "CLOSED": (OrderStatus.FAILED, CLOSED),
    # It left our account and cannot reach the payer's; staff end it at the merchant platform.
    "ABNORMAL": (OrderStatus.UNKNOWN, ABNORMAL),
}


# Published lists of codes write some of them in two ways.
_OLD_SPELLINGS = {
    "ordernotexist": "order_not_exist",
    "accounterror": "account_error",
    "notenough": "not_enough",
    "rulelimit": "rule_limit",
    "noauth": "no_auth",
}


class Answer(BaseModel):
    """A signed object."""

    # Fields that a later version adds are no reason to lose an answer.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Nothing(Answer):
    """The body of a 204."""


class ErrorAnswer(Answer):
    """Why a call was not carried out."""

    code: Text

    @property
    def failure_code(self) -> str:
        """The code as the domain writes such."""
        code = self.code.lower()
        return _OLD_SPELLINGS.get(code, code)


class Merchants(Answer):
    """Whose an object is: parkings and charges say `sp_mchid`, pages and refunds `mchid`."""

    mchid: Text | None = None
    sp_mchid: Text | None = None
    sub_mchid: Text | None = None

    def belongs_to(self, merchant: str, sub_merchant: str | None) -> bool:
        """Whether it is ours; one that names nobody is nobody's."""
        named = {self.mchid, self.sp_mchid} - {None}
        return named == {merchant} and self.sub_mchid in {sub_merchant, None}


class ServiceAnswer(Answer):
    """Whether a payer has opened parking without a password for a plate."""

    plate_number: Text
    plate_color: Text
    openid: Text
    service_state: Literal["NORMAL", "PAUSE", "OUT_SERVICE"]
    service_open_time: MaybeTime = None

    def state(self, reference: str) -> AgreementState:
        """Return it in the port's words."""
        is_open = self.service_state == "NORMAL"
        return AgreementState(
            reference=reference,
            status=AgreementStatus.ACTIVE if is_open else AgreementStatus.PENDING,
            payer_hint=hint_of(self.openid) if is_open else None,
            signed_at=self.service_open_time if is_open else None,
        )


class ParkingAnswer(Answer):
    """A car that has entered."""

    id: Text
    out_parking_no: Text
    plate_number: Text
    state: Literal["NORMAL", "BLOCKED"]
    block_reason: Text | None = None


class Amount(Answer):
    """What the order is about; `payer_total` is less where WeChat gave a coupon."""

    total: AmountMinor
    currency: Text = CURRENCY


class OrderAnswer(Merchants):
    """A charge or a page, as its own query and its notices say."""

    out_trade_no: Text
    trade_state: Literal[
        "SUCCESS",
        "REFUND",
        "ACCEPTED",
        "PAY_FAIL",
        "FAIL",
        "NOTPAY",
        "USERPAYING",
        "CLOSED",
        "REVOKED",
        "PAYERROR",
    ]
    transaction_id: str | None = None
    success_time: MaybeTime = None
    bank_type: str | None = None
    user_repaid: Flag = None
    amount: Amount | None = None

    @property
    def money(self) -> Money | None:
        """The order's amount; a page that is unpaid may come without."""
        return None if self.amount is None else Money(self.amount.total, self.amount.currency)

    def agrees(self, number: str, amount: Money) -> bool:
        """Whether this is about what we asked; only what took no money may lack an amount."""
        if self.out_trade_no != number:
            return False
        status, _ = _CHARGE_STATES[self.trade_state]
        return self.money == amount or (self.money is None and status is not _SUCCEEDED)

    def result(self, *, is_guaranteed: bool = False) -> ChargeResult:
        """Return it in the port's words.

        Args:
            is_guaranteed: Whether WeChat answers for what it has accepted.
        """
        status, failure_code = _CHARGE_STATES[self.trade_state]
        return ChargeResult(
            number=self.out_trade_no,
            status=status,
            guaranteed=is_guaranteed and self.trade_state == "ACCEPTED",
            failure_code=failure_code,
            provider_reference=self.transaction_id or None,
            amount=self.money,
            advance=self._advance(),
        )

    def _advance(self) -> Advance | None:
        if self.trade_state != "SUCCESS" or self.bank_type != ADVANCED_BANK_TYPE:
            return None
        return Advance.REPAID if self.user_repaid == "Y" else Advance.OUTSTANDING


class CodeAnswer(Answer):
    """The content of the QR code that WeChat reads."""

    code_url: Annotated[str, Field(max_length=512, pattern=r"^(weixin|https?)://")]


class PhonePageAnswer(Answer):
    """The page that opens WeChat from a phone's browser."""

    h5_url: Annotated[str, Field(max_length=512, pattern=r"^https?://[^#]+$")]


class PrepayAnswer(Answer):
    """What WeChat is told to pay inside its own browser."""

    prepay_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]


class RefundAmount(Answer):
    """What comes back of what was paid."""

    refund: AmountMinor
    total: AmountMinor
    currency: Text = CURRENCY


class RefundAnswer(Merchants):
    """A refund; a notice calls its state `refund_status`."""

    refund_id: Text
    out_refund_no: Text
    out_trade_no: Text
    status: RefundState
    amount: RefundAmount

    def agrees(self, number: str, charge_number: str, amount: Money) -> bool:
        """Whether this is about what we asked."""
        said = (self.out_refund_no, self.out_trade_no, self.money)
        return said == (number, charge_number, amount)

    @property
    def money(self) -> Money:
        """What comes back."""
        return Money(self.amount.refund, self.amount.currency)

    def result(self) -> RefundResult:
        """Return it in the port's words."""
        status, failure_code = _REFUND_STATES[self.status]
        return RefundResult(
            number=self.out_refund_no,
            charge_number=self.out_trade_no,
            status=status,
            failure_code=failure_code,
            provider_reference=self.refund_id,
            amount=self.money,
        )


class RefundNoticeAnswer(RefundAnswer):
    """A refund as its notice says it."""

    status: RefundState = Field(validation_alias="refund_status")


class BillAnswer(Answer):
    """Where a day's trade bill lies, for a few minutes."""

    hash_type: Literal["SHA1"]
    hash_value: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{40}$")]
    download_url: Annotated[str, Field(max_length=2048, pattern=r"^https?://")]


class ParkingStateAnswer(Merchants):
    """A plate's service changed while the car was in."""

    out_parking_no: Text
    plate_number: Text
    parking_state: Literal["NORMAL", "BLOCKED"]
    blocked_state_description: Text | None = None
    state_update_time: Time


def hint_of(openid: str) -> str:
    """Return what tells a driver's WeChat accounts apart without naming one."""
    return f"•••• {openid[-4:]}"
