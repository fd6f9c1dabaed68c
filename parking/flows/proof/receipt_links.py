"""Receipts for those who paid on a payment page: the address of the bill is their proof."""

from collections.abc import Sequence
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.pay_link import read_pay_token
from parking.flows.proof.receipts import IssuedReceipt, issue_receipt
from parking.kit.database import UnitOfWork
from parking.payments import repository as payments
from parking.payments.errors import BillUnknownError
from parking.payments.models import AttemptKind, Bill, BillState


async def count_receipts(context: ParkingContext, token: str) -> int:
    """Return how many receipts the address of a bill opens; none where none are signed here.

    Raises:
        BillUnknownError: the token is not one of ours.
    """
    operator_id, session_id = read_pay_token(context.vault, token)
    if context.receipts is None:
        return 0
    async with context.database.begin() as unit:
        return len(await _paid_on_a_page(unit, operator_id, session_id))


async def open_receipt_link(context: ParkingContext, token: str, number: int) -> IssuedReceipt:
    """Return one of the receipts that the address of a bill opens, counted from 1.

    Raises:
        BillUnknownError: the token is not one of ours, or there are fewer.
        ReceiptsUnavailableError: this process has no key.
    """
    operator_id, session_id = read_pay_token(context.vault, token)
    async with context.database.begin() as unit:
        bills = await _paid_on_a_page(unit, operator_id, session_id)
        if not 1 <= number <= len(bills):
            raise BillUnknownError("number: expected that of a receipt of this stay")
        return await issue_receipt(context, unit, bills[number - 1])


async def _paid_on_a_page(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> Sequence[Bill]:
    """Return a stay's bills that were paid on a page, oldest first.

    What was charged to an account is the account's: whoever has read the code on the lane's
    display must not learn how its driver paid.
    """
    bills = await payments.find_bills(unit, operator_id, session_id)
    found: list[Bill] = []
    for bill in bills:
        if bill.state != BillState.PAID or bill.paid_attempt_id is None:
            continue
        attempt = await payments.find_attempt(unit, operator_id, bill.paid_attempt_id)
        if attempt is not None and attempt.kind == AttemptKind.CHECKOUT:
            found.append(bill)
    return found
