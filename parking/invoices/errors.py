"""Refusals about invoices."""

from parking.kit.errors import ParkingError, UnavailableError


class SellerMissingError(ParkingError):
    """The operator has not said yet what its invoices must say about it."""

    code = "INVOICE_SELLER_MISSING"

    def __init__(self) -> None:
        super().__init__("seller: this operator issues no invoices yet; ask its staff")


class InvoiceUnknownError(ParkingError):
    """No such invoice, or not of whoever asks: the two are not told apart."""

    code = "INVOICE_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("invoiceId: expected one of yours")


class BillNotPaidError(ParkingError):
    """A bill is not paid, or a newer version of it counts."""

    code = "BILL_NOT_PAID"

    def __init__(self) -> None:
        super().__init__("billIds: expected paid bills, each in its newest version")


class InvoiceExistsError(ParkingError):
    """A bill stands on a valid invoice already, with other bills or for another buyer."""

    code = "INVOICE_EXISTS"

    def __init__(self, number: str | None) -> None:
        name = "an invoice" if number is None else f"invoice {number}"
        super().__init__(
            f"billIds: one of them stands on {name}, with other bills or for another buyer; "
            "the operator's staff can cancel it"
        )


class InvoiceCancelledError(ParkingError):
    """Nothing is left of the invoice to cancel."""

    code = "INVOICE_CANCELLED"

    def __init__(self) -> None:
        super().__init__("invoiceId: it is credited in full already")


class DocumentNotReadyError(UnavailableError):
    """A fapiao has no document before the tax office's service has issued it."""

    code = "DOCUMENT_NOT_READY"


class FapiaoUnavailableError(UnavailableError):
    """No fapiao service is set up here."""

    code = "FAPIAO_UNAVAILABLE"
