"""What the wires of our own share: signed calls, signed answers, signed notices.

A wire is `docs/acquirer-wire.md` or `docs/etc-wire.md`: each has its own names, signature and
settlement, and the same rules. Nothing here knows which one it is.
"""

from parking.payments.signed_wire.answers import (
    AgreementAnswer,
    AgreementStartedAnswer,
    AmountMinor,
    Answer,
    Currency,
    MoneyAnswer,
    OrderAnswer,
    PageUrl,
    RefundAnswer,
    Subject,
    Text,
)
from parking.payments.signed_wire.notices import SignedNotice
from parking.payments.signed_wire.provider import SignedWireProvider, Wire
from parking.payments.signed_wire.signature import PrivateKey, PublicKey, SignatureScheme, Stamp
from parking.payments.signed_wire.transport import Failure, SignedClient, SignedWireSettings

__all__ = [
    "AgreementAnswer",
    "AgreementStartedAnswer",
    "AmountMinor",
    "Answer",
    "Currency",
    "Failure",
    "MoneyAnswer",
    "OrderAnswer",
    "PageUrl",
    "PrivateKey",
    "PublicKey",
    "RefundAnswer",
    "SignatureScheme",
    "SignedClient",
    "SignedNotice",
    "SignedWireProvider",
    "SignedWireSettings",
    "Stamp",
    "Subject",
    "Text",
    "Wire",
]
