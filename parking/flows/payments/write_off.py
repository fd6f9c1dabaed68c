"""Giving up what is owed: by a named person, for a reason, until somebody pays after all."""

from typing import Final
from uuid import UUID

from parking.events.types import EventType
from parking.flows.context import ParkingContext
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id
from parking.payments import credit, ledger, owing, repository, versions
from parking.payments import service as payments
from parking.payments.credit_models import WriteOff
from parking.payments.errors import BillUnknownError, NothingDueError
from parking.payments.models import BillState
from parking.sessions import service as sessions
from parking.sessions.events import tell

REASON_LENGTH_MAX: Final = 200


async def write_off(
    context: ParkingContext, operator_id: UUID, bill_id: UUID, *, reason: str, by: str
) -> WriteOff:
    """Give up a bill that is owed; again returns what was written off.

    Its driver gets no more credit here. A later payment of it is taken all the same.

    Raises:
        BillUnknownError: the operator has no such bill.
        NothingDueError: it is not owed.
        PaymentInProgressError: it is being paid.
        InvalidInputError: the reason is unusable.
    """
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MAX:
        raise InvalidInputError("reason", f"1 to {REASON_LENGTH_MAX} characters")
    async with context.database.begin() as unit:
        seen = await repository.find_bill(unit, operator_id, bill_id)
        if seen is None or seen.session_id is None:
            raise BillUnknownError("billId: expected one of your stays'")
        session = await sessions.lock_session(unit, operator_id, seen.session_id)
        bill = await versions.lock_newest(unit, operator_id, bill_id)
        row_id = derive_id(bill.id, "write_off")
        known = await unit.session.get(WriteOff, (operator_id, row_id))
        if known is not None:
            return known
        if session is None or bill.state != BillState.OWED:
            raise NothingDueError("billId: expected one that is owed")
        payments.require_free(bill)
        await credit.give_back(unit, bill)
        await owing.unlist(unit, bill)
        bill.state = BillState.WRITTEN_OFF
        await ledger.post_written_off(unit, bill, source=bill.id)
        if bill.driver_id is not None:
            await credit.freeze(
                unit, operator_id, bill.driver_id, bill.currency, reason=credit.WRITTEN_OFF
            )
        written_off = WriteOff(
            operator_id=operator_id,
            id=row_id,
            bill_id=bill.id,
            amount_minor=bill.total_minor,
            currency=bill.currency,
            reason=reason.strip(),
            written_off_by=by,
            written_off_at=unit.now(),
        )
        unit.session.add(written_off)
        tell(unit, session, EventType.SESSION_BILL_CHANGED)
        return written_off
