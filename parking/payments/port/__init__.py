"""What the domain asks of a payment provider, whichever it is.

Three rules hold for every adapter:

- A call that moves money never raises for the network's sake: a lost, late, unsigned or wrong
  answer is status `UNKNOWN`, and only `query` or the same number again may resolve it.
- A number belongs to one order for ever. Sending it again with the same parameters returns that
  order and moves nothing; with other parameters it is refused and the first order stands.
- `SUCCEEDED` and `FAILED` are definitive. Only after `FAILED` may a new number be used.
"""

from parking.payments.port.agreements import (
    AgreementRequest,
    AgreementStarted,
    AgreementState,
    AgreementStatus,
)
from parking.payments.port.errors import ProviderRefusedError, ProviderUnavailableError
from parking.payments.port.notices import (
    ChargebackState,
    Notice,
    NoticeKind,
    NoticeOutcome,
    NoticeRefusedError,
    NoticeReply,
)
from parking.payments.port.numbers import (
    DEADLINE_S_MAX,
    DESCRIPTION_LENGTH_MAX,
    NUMBER_LENGTH_MAX,
    order_number,
)
from parking.payments.port.orders import (
    AGREEMENT_INACTIVE,
    ANSWER_MISMATCH,
    CLOSED,
    DECLINED,
    NO_ANSWER,
    NUMBER_CONFLICT,
    UNTRUSTED_ANSWER,
    Advance,
    ChargeOrder,
    ChargeResult,
    Checkout,
    CheckoutOrder,
    OrderStatus,
    RefundOrder,
    RefundResult,
    SentOrder,
    StayDetails,
)
from parking.payments.port.payers import PayerFinder
from parking.payments.port.provider import PaymentProvider
from parking.payments.port.settlements import SettlementKind, SettlementNotReadyError, SettlementRow
from parking.payments.port.stays import StayListener
from parking.payments.port.traits import AccountKind, PayerDevice, ProviderTraits

__all__ = [
    "AGREEMENT_INACTIVE",
    "ANSWER_MISMATCH",
    "CLOSED",
    "DEADLINE_S_MAX",
    "DECLINED",
    "DESCRIPTION_LENGTH_MAX",
    "NO_ANSWER",
    "NUMBER_CONFLICT",
    "NUMBER_LENGTH_MAX",
    "UNTRUSTED_ANSWER",
    "AccountKind",
    "Advance",
    "AgreementRequest",
    "AgreementStarted",
    "AgreementState",
    "AgreementStatus",
    "ChargeOrder",
    "ChargeResult",
    "ChargebackState",
    "Checkout",
    "CheckoutOrder",
    "Notice",
    "NoticeKind",
    "NoticeOutcome",
    "NoticeRefusedError",
    "NoticeReply",
    "OrderStatus",
    "PayerDevice",
    "PayerFinder",
    "PaymentProvider",
    "ProviderRefusedError",
    "ProviderTraits",
    "ProviderUnavailableError",
    "RefundOrder",
    "RefundResult",
    "SentOrder",
    "SettlementKind",
    "SettlementNotReadyError",
    "SettlementRow",
    "StayDetails",
    "StayListener",
    "order_number",
]
