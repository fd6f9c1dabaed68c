"""Invoices over paid bills, and the credit notes that follow from refunds and cancellations."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.invoices.invoice_events import tell_issued
from parking.flows.invoices.invoice_lines import find_root, lines_of
from parking.invoices import repository, service
from parking.invoices.errors import (
    BillNotPaidError,
    FapiaoUnavailableError,
    InvoiceCancelledError,
    InvoiceExistsError,
    InvoiceUnknownError,
)
from parking.invoices.models import Invoice, InvoiceKind
from parking.invoices.parties import Buyer, Seller, checked_buyer
from parking.invoices.rules import check_currency
from parking.invoices.written_text import checked_text
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.payments import repository as payments
from parking.payments import versions
from parking.payments.models import Bill, BillState, Refund

BILLS_PER_INVOICE_MAX: Final = 100
REASON_LENGTH_MAX: Final = 200
_NOT_YOURS: Final = "the ids of your own bills, all of one operator"
# A note on a refund may be in any script; the credit note then says only this.
_REFUNDED: Final = "Refund"


async def request(
    context: ParkingContext,
    driver_id: UUID,
    bill_keys: Sequence[tuple[UUID, UUID]],
    buyer: Buyer | None,
) -> tuple[UUID, UUID]:
    """Issue one invoice over a driver's paid bills; asking again returns the same one.

    A fapiao is only applied for: `invoice_fapiao.send` goes on after the commit.

    Args:
        context: The domain's surroundings.
        driver_id: Who asks.
        bill_keys: (operator, bill), any version of each.
        buyer: Whom it is made out to; None for the driver's saved profile.

    Returns:
        The operator and the invoice.

    Raises:
        InvalidInputError: bills of others, of several operators, over nothing, or a bad buyer.
        SellerMissingError: the operator issues no invoices.
        BillNotPaidError: one is not paid.
        InvoiceExistsError: one stands on another invoice.
        FapiaoUnavailableError: no service is set up that issues fapiao.
    """
    operator_id, bill_ids = _checked_keys(bill_keys)
    async with context.database.begin() as unit:
        seller = await service.require_seller(unit, operator_id)
        if seller.uses_fapiao and context.fapiao is None:
            raise FapiaoUnavailableError("invoice: no fapiao service is set up here")
        made_out_to = await _buyer(unit, driver_id, buyer, seller)
        bills = await _lock_bills(unit, operator_id, driver_id, bill_ids)
        standing = await _standing(unit, operator_id, set(bills), made_out_to)
        if standing is not None:
            return operator_id, standing
        currency = _checked_bills(list(bills.values()), seller)
        invoice = await service.issue(
            unit,
            operator_id,
            driver_id,
            seller=seller,
            buyer=made_out_to,
            currency=currency,
            lines=await lines_of(unit, operator_id, bills, seller),
        )
        _tell(unit, invoice, seller)
        return operator_id, invoice.id


async def cancel(
    context: ParkingContext, operator_id: UUID, invoice_id: UUID, *, reason: str
) -> tuple[UUID, UUID]:
    """Credit what is left of an invoice, so that its bills may stand on a new one.

    Again returns the same credit note. A fapiao's bills are free once its red one is issued.

    Raises:
        InvoiceUnknownError: the operator has no such invoice.
        InvoiceCancelledError: refunds have credited it in full.
    """
    async with context.database.begin() as unit:
        invoice = await repository.lock_invoice(unit, operator_id, invoice_id)
        if invoice is None or invoice.corrects_id is not None:
            raise InvoiceUnknownError
        given = checked_text(
            "reason",
            reason,
            length_max=REASON_LENGTH_MAX,
            any_script=invoice.kind == InvoiceKind.FAPIAO,
        )
        credits_of_it = await repository.find_credits(unit, [operator_id], [invoice_id])
        left = service.left_of(invoice, credits_of_it)
        note = await service.credit(unit, invoice, left, cause=service.CANCELLATION, reason=given)
        if note is None:
            raise InvoiceCancelledError
        if note.number is not None and note not in credits_of_it:
            await repository.release_bills(unit, operator_id, invoice_id)
            _tell(unit, note, service.open_document(unit, note).seller)
        return operator_id, note.id


async def credit_for_refund(unit: UnitOfWork, refund: Refund) -> Invoice | None:
    """Credit what a refunded bill became less by, where it stands on an invoice.

    Called in the transaction that stores the refund, after the bill's new version; again changes
    nothing. What the bill now says is what stays on the invoice, so that a refund that is sent
    anew does not credit twice.
    """
    root = await find_root(unit, refund.operator_id, refund.bill_id)
    newest = await payments.find_bill(unit, refund.operator_id, refund.bill_id)
    if root is None or newest is None:
        return None
    holders = await repository.find_holders(unit, refund.operator_id, [root.id])
    if root.id not in holders:
        return None
    invoice = await repository.lock_invoice(unit, refund.operator_id, holders[root.id])
    if invoice is None:
        return None
    earlier = await repository.find_credits(unit, [invoice.operator_id], [invoice.id])
    less_minor = service.left_of(invoice, earlier)[root.id] - newest.total_minor
    note = await service.credit(
        unit,
        invoice,
        {root.id: less_minor},
        cause=f"bill:{newest.id}",
        reason=_reason(refund.reason, invoice),
    )
    if note is not None and note not in earlier:
        _tell(unit, note, service.open_document(unit, note).seller)
    return note


def _checked_keys(bill_keys: Sequence[tuple[UUID, UUID]]) -> tuple[UUID, set[UUID]]:
    if not 0 < len(bill_keys) <= BILLS_PER_INVOICE_MAX:
        raise InvalidInputError("billIds", f"1 to {BILLS_PER_INVOICE_MAX} bills")
    operators = {operator_id for operator_id, _ in bill_keys}
    if len(operators) != 1:
        raise InvalidInputError("billIds", _NOT_YOURS)
    return operators.pop(), {bill_id for _, bill_id in bill_keys}


async def _buyer(unit: UnitOfWork, driver_id: UUID, given: Buyer | None, seller: Seller) -> Buyer:
    buyer = given or await service.find_buyer(unit, driver_id)
    if buyer is None:
        raise InvalidInputError("buyer", "whom the invoice is made out to, or a saved profile")
    return checked_buyer(buyer, seller)


async def _lock_bills(
    unit: UnitOfWork, operator_id: UUID, driver_id: UUID, bill_ids: set[UUID]
) -> dict[UUID, Bill]:
    """Return the versions that count, by the first one's id, which is also the lock's order."""
    root_ids: set[UUID] = set()
    for bill_id in bill_ids:
        root = await find_root(unit, operator_id, bill_id)
        if root is None or root.driver_id != driver_id:
            raise InvalidInputError("billIds", _NOT_YOURS)
        root_ids.add(root.id)
    return {
        root_id: await versions.lock_newest(unit, operator_id, root_id)
        for root_id in sorted(root_ids)
    }


async def _standing(
    unit: UnitOfWork, operator_id: UUID, root_ids: set[UUID], buyer: Buyer
) -> UUID | None:
    """Return the invoice that is asked for again."""
    holders = await repository.find_holders(unit, operator_id, root_ids)
    if not holders:
        return None
    invoice_id = next(iter(holders.values()))
    invoice = await repository.find_invoice(unit, operator_id, invoice_id)
    if invoice is None:
        raise InvoiceUnknownError
    is_same = (
        set(holders) == root_ids == {UUID(item["bill_id"]) for item in invoice.items}
        and set(holders.values()) == {invoice_id}
        and service.open_document(unit, invoice).buyer == buyer
    )
    if not is_same:
        raise InvoiceExistsError(invoice.number)
    return invoice_id


def _checked_bills(bills: Sequence[Bill], seller: Seller) -> str:
    """Return the currency of bills that may stand on one invoice."""
    if any(bill.state != BillState.PAID for bill in bills):
        raise BillNotPaidError
    if any(bill.total_minor == 0 for bill in bills):
        raise InvalidInputError("billIds", "bills over more than nothing")
    currencies = {bill.currency for bill in bills}
    if len(currencies) != 1:
        raise InvalidInputError("billIds", "bills of one currency")
    currency = currencies.pop()
    if not seller.uses_fapiao:
        check_currency(currency)
    return currency


def _reason(text: str, invoice: Invoice) -> str:
    try:
        return checked_text(
            "reason",
            text,
            length_max=REASON_LENGTH_MAX,
            any_script=invoice.kind == InvoiceKind.FAPIAO,
        )
    except InvalidInputError:
        return _REFUNDED


def _tell(unit: UnitOfWork, invoice: Invoice, seller: Seller) -> None:
    # A fapiao is told of when the tax office has numbered it.
    if invoice.number is not None:
        tell_issued(unit, invoice, number=invoice.number, seller_name=seller.legal_name)
