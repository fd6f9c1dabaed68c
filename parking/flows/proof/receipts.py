"""Making the receipt of a paid bill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from parking.flows.bills.bill_basis import BillBasis
from parking.flows.context import ParkingContext
from parking.flows.proof.receipt_claims import (
    NamedParty,
    NamedPlace,
    ReceiptBill,
    ReceiptClaims,
    ReceiptPayment,
    ReceiptRefund,
    least_basis,
    mask_plate,
)
from parking.kit.database import UnitOfWork
from parking.payments import bill_history
from parking.payments import repository as payments
from parking.payments.errors import BillUnknownError, ReceiptNotReadyError
from parking.payments.models import Bill, BillState, PaymentAttempt, Refund, RefundState
from parking.payments.versions import version_id
from parking.places import repository as places
from parking.sessions import repository as sessions
from parking.sessions import service as session_service
from parking.tariffs import repository as tariffs
from parking.tariffs import service as tariff_service

KEYS_PATH: Final = "/.well-known/sesame-receipt-keys.json"


@dataclass(frozen=True, slots=True)
class IssuedReceipt:
    """A receipt, and what checking it needs besides the key.

    Attributes:
        jws: The signed receipt.
        rate_table: What the bill was priced with; None for a pass.
        keys_url: Where the keys are published; whoever checks must know it to be the operator's.
    """

    number: str
    jws: str
    rate_table: Mapping[str, Any] | None
    keys_url: str

    def document(self) -> dict[str, Any]:
        """Return the file that is given to its holder."""
        return {"receipt": self.jws, "rate_table": self.rate_table, "keys_url": self.keys_url}


async def issue_receipt(
    context: ParkingContext, unit: UnitOfWork, bill: Bill, *, with_plate: bool = False
) -> IssuedReceipt:
    """Return a paid bill's receipt: the same one as long as nothing about it changes.

    Args:
        context: The domain's surroundings.
        unit: The transaction; nothing is written.
        bill: The bill; whoever asks may see it.
        with_plate: Whether the plate stands in it in full; for its own driver only.

    Raises:
        ReceiptsUnavailableError: this process has no key.
        ReceiptNotReadyError: the bill is not paid.
    """
    signer = context.receipt_signer()
    if bill.paid_at is None or bill.state not in {BillState.PAID, BillState.CORRECTED}:
        raise ReceiptNotReadyError("bill: expected a paid one")
    claims = (await _claims(context, unit, bill, with_plate=with_plate)).named()
    rate_table = None
    if bill.rate_table_id is not None:
        version = await tariffs.find_version(unit, bill.operator_id, bill.rate_table_id)
        rate_table = None if version is None else version.body
    return IssuedReceipt(
        number=claims.jti,
        jws=signer.sign(claims.to_json()),
        rate_table=rate_table,
        keys_url=f"{context.public_url}{KEYS_PATH}",
    )


async def _claims(
    context: ParkingContext, unit: UnitOfWork, bill: Bill, *, with_plate: bool
) -> ReceiptClaims:
    plate, place = await _plate_and_place(unit, bill)
    if plate is not None and not with_plate:
        plate = mask_plate(plate)
    basis = await _basis(unit, bill)
    stored = bill.basis if bill.session_id is None else None
    operator = await places.find_operator(unit, bill.operator_id)
    payment, refunds = await _payment(unit, bill)
    left_at = None if basis is None or basis.exit is None else basis.priced_until.isoformat()
    return ReceiptClaims(
        iss=context.public_url,
        jti="",
        iat=int((bill.paid_at or bill.issued_at).timestamp()),
        operator=NamedParty(
            id=str(bill.operator_id), name="" if operator is None else operator.name
        ),
        place=place,
        plate=plate,
        plate_is_masked=not with_plate,
        bill=_bill(bill),
        entered_at=None if basis is None else basis.entered_at.isoformat(),
        left_at=left_at,
        currency=bill.currency,
        lines=tuple(bill.lines),
        total_minor=bill.total_minor,
        payment=payment,
        refunds=refunds,
        basis=stored if basis is None else basis.to_json(),
    )


async def _plate_and_place(unit: UnitOfWork, bill: Bill) -> tuple[str | None, NamedPlace | None]:
    if bill.session_id is None:
        return None, None
    session = await sessions.find_session(unit, bill.operator_id, bill.session_id)
    if session is None:
        raise BillUnknownError("bill: expected one whose stay is kept")
    place = await places.find_place(unit, bill.operator_id, session.place_id)
    named = (
        None
        if place is None
        else NamedPlace(id=str(place.id), name=place.name, timezone=place.timezone)
    )
    return session_service.plate_of(unit, session), named


async def _basis(unit: UnitOfWork, bill: Bill) -> BillBasis | None:
    """Return the stored basis, less what the price does not depend on; None without one."""
    if "format" not in bill.basis or bill.rate_table_id is None:
        return None
    table = await tariff_service.load(unit, bill.operator_id, bill.rate_table_id)
    return least_basis(BillBasis.from_json(bill.basis), table)


async def _payment(
    unit: UnitOfWork, bill: Bill
) -> tuple[ReceiptPayment | None, tuple[ReceiptRefund, ...]]:
    if bill.paid_attempt_id is None:
        return None, ()
    attempt = await payments.find_attempt(unit, bill.operator_id, bill.paid_attempt_id)
    if attempt is None:
        return None, ()
    refunds = await bill_history.find_refunds(unit, attempt)
    versions = await bill_history.find_versions(unit, bill)
    known = {version.id for version in versions if version.version <= bill.version}
    return _paid(attempt), _refunded(refunds, known)


def _paid(attempt: PaymentAttempt) -> ReceiptPayment:
    return ReceiptPayment(
        provider=attempt.provider,
        method=str(attempt.kind),
        reference=attempt.number,
        amount_minor=attempt.amount_minor,
        paid_at=(attempt.finished_at or attempt.sent_at).isoformat(),
    )


def _refunded(refunds: Sequence[Refund], bill_ids: set[UUID]) -> tuple[ReceiptRefund, ...]:
    return tuple(
        ReceiptRefund(
            reference=refund.number,
            amount_minor=refund.amount_minor,
            refunded_at=None if refund.finished_at is None else refund.finished_at.isoformat(),
        )
        for refund in refunds
        # What a later version gave back is on that version's receipt.
        if refund.bill_id in bill_ids and refund.state != RefundState.FAILED
    )


def _bill(bill: Bill) -> ReceiptBill:
    is_corrected = bill.state == BillState.CORRECTED
    return ReceiptBill(
        id=str(bill.id),
        version=bill.version,
        state="corrected" if is_corrected else "paid",
        issued_at=bill.issued_at.isoformat(),
        corrects_id=None if bill.corrects_id is None else str(bill.corrects_id),
        corrected_by_id=str(version_id(bill.id)) if is_corrected else None,
    )
