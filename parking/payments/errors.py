"""Refusals about money."""

from parking.kit.errors import ParkingError


class MandateUnknownError(ParkingError):
    """No such mandate, or not this driver's: the two are not told apart."""

    code = "MANDATE_UNKNOWN"


class MandateEndedError(ParkingError):
    """The authorization was revoked, or has expired."""

    code = "MANDATE_ENDED"


class MandateTermsChangedError(ParkingError):
    """Other terms were confirmed than those that stand: show them again."""

    code = "MANDATE_TERMS_CHANGED"


class AttemptUnknownError(ParkingError):
    """No such payment, or another operator's: the two are not told apart."""

    code = "PAYMENT_UNKNOWN"


class AttemptNotStuckError(ParkingError):
    """The payment needs no person: it has ended, or its provider is still being asked."""

    code = "PAYMENT_NOT_STUCK"


class BillUnknownError(ParkingError):
    """No such bill, or the address of the bill was altered."""

    code = "BILL_UNKNOWN"


class NothingDueError(ParkingError):
    """There is nothing to pay now."""

    code = "NOTHING_DUE"


class PaymentInProgressError(ParkingError):
    """Another payment of the same bill is under way; its outcome comes first."""

    code = "PAYMENT_IN_PROGRESS"
    retryable = True


class PaymentUnavailableError(ParkingError):
    """No payment page could be opened."""

    code = "PAYMENT_UNAVAILABLE"
    retryable = True


class PayerUnknownError(ParkingError):
    """A provider's app has to tell first whose it is.

    Attributes:
        provider: Whose app.
    """

    code = "PAYER_UNKNOWN"
    retryable = True

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} has not said who pays")
        self.provider = provider


class ProviderMissingError(ParkingError):
    """A payment provider is not configured in this process."""

    code = "PAYMENT_PROVIDER_MISSING"
    retryable = True

    def __init__(self, name: str) -> None:
        super().__init__(f"payments: expected the provider {name} in the settings")


class AuthorizationUnavailableError(ParkingError):
    """The payment provider did not open the authorization page."""

    code = "AUTHORIZATION_UNAVAILABLE"
    retryable = True


class TooManyAuthorizationsError(ParkingError):
    """The driver has begun as many authorizations as one may in a day; each asks a provider."""

    code = "TOO_MANY_AUTHORIZATIONS"
    retryable = True


class RefundUnknownError(ParkingError):
    """No such refund, or another operator's: the two are not told apart."""

    code = "REFUND_UNKNOWN"


class NothingToRefundError(ParkingError):
    """The bill took no money from anybody, or all of it is going back already."""

    code = "NOTHING_TO_REFUND"


class RefundTooLargeError(ParkingError):
    """More was to be given back than the bill still holds."""

    code = "REFUND_TOO_LARGE"


class RefundConflictError(ParkingError):
    """The same cause was refunded before, with another amount."""

    code = "REFUND_CONFLICT"


class BillReplacedError(ParkingError):
    """A newer version of the bill counts: look again."""

    code = "BILL_REPLACED"
    retryable = True


class ReceiptsUnavailableError(ParkingError):
    """No receipts are signed here: this process was given no key."""

    code = "RECEIPTS_UNAVAILABLE"


class ReceiptNotReadyError(ParkingError):
    """The bill is not paid, so that there is no receipt yet."""

    code = "RECEIPT_NOT_READY"


class PartnershipUnknownError(ParkingError):
    """The two operators agreed on nothing, or the other one did not ask."""

    code = "PARTNERSHIP_UNKNOWN"


class SettlementTooLargeError(ParkingError):
    """A partner was to have paid more than it owes."""

    code = "SETTLEMENT_TOO_LARGE"


class ExitNotWaitingError(ParkingError):
    """No car waits at that exit, or the gate opens for it already."""

    code = "EXIT_NOT_WAITING"
