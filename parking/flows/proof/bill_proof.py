"""A bill checked in the database, and its receipt checked as its holder would."""

from dataclasses import replace
from uuid import UUID

from parking.flows.bills.checks import Check, CheckName, Verification, failed, missing, passed
from parking.flows.context import ParkingContext
from parking.flows.proof.receipt_check import ReceiptDocument, check_receipt
from parking.flows.proof.receipts import issue_receipt
from parking.flows.proof.verification import verify
from parking.kit.database import UnitOfWork
from parking.payments import repository as payments
from parking.payments.errors import (
    BillUnknownError,
    ReceiptNotReadyError,
    ReceiptsUnavailableError,
)


async def prove(
    context: ParkingContext, unit: UnitOfWork, operator_id: UUID, bill_id: UUID
) -> Verification:
    """Check one bill and the receipt that its holder gets; it reads, and changes nothing.

    Raises:
        BillUnknownError: the operator has no such bill.
    """
    found = await verify(unit, operator_id, bill_id)
    receipt = await _check_receipt(context, unit, operator_id, bill_id)
    return replace(found, checks=(*found.checks, receipt))


async def _check_receipt(
    context: ParkingContext, unit: UnitOfWork, operator_id: UUID, bill_id: UUID
) -> Check:
    bill = await payments.find_bill(unit, operator_id, bill_id)
    if bill is None:
        raise BillUnknownError("bill: expected one of this operator")
    try:
        issued = await issue_receipt(context, unit, bill)
    except ReceiptNotReadyError:
        return missing(CheckName.RECEIPT, "it is not paid, and has no receipt yet")
    except ReceiptsUnavailableError:
        return missing(CheckName.RECEIPT, "no receipts are signed here: there is no key")
    document = ReceiptDocument(issued.jws, issued.rate_table)
    problem = check_receipt(document, context.receipt_signer().keys).first_problem
    if problem is None:
        words = "its receipt is signed, and proves it without the database"
        return passed(CheckName.RECEIPT, issued.number, words)
    words = f"its receipt does not prove it: {problem.words}"
    return failed(CheckName.RECEIPT, problem.expected, problem.found, words)
