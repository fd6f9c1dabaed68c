"""Proving a claim on the spot: by paying the bill of the car that stands at an exit now.

What it proves: that the driver had the bill's address within minutes of the display showing it,
and paid for the car. Who reads the address over a shoulder could do so, too, and would pay for
somebody else's parking. So it counts only while the car stands there, for ten minutes, and only
for a plate that is nobody's; else staff decide, as with a code.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.lane_types import Action
from parking.flows.pay_link import read_pay_token
from parking.flows.payments import checkout, paid_claim
from parking.flows.payments.visitor import Visitor
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lanes
from parking.payments.errors import BillUnknownError
from parking.plates import repository as plate_rows
from parking.plates import rules
from parking.plates.errors import ClaimNotFoundError, PayLinkWrongError
from parking.sessions import repository as sessions

SHOWN_WITHIN: Final = timedelta(minutes=10)
LINK_LENGTH_MAX: Final = 500


async def begin(
    context: ParkingContext,
    driver_id: UUID,
    claim_id: UUID,
    pay_link: str,
    method: str | None = None,
) -> str:
    """Return a payment page of the driver's own; paying it proves the claim. Again, the same page.

    Args:
        context: The domain's surroundings.
        driver_id: Whose claim it is.
        claim_id: The claim.
        pay_link: What the code on the display says, or its last part.
        method: The provider to pay with; None for the usual one.

    Raises:
        ClaimNotFoundError: the driver has no such claim.
        ClaimRefusedError: it was decided on.
        ClaimExpiredError: its time is over.
        ClaimInReviewError: staff decide on it.
        PayLinkWrongError: no exit shows this address for the claimed plate now.
        NothingDueError: the bill is paid.
        PaymentInProgressError: the bill is being paid in another way.
        PaymentUnavailableError: the provider opened no page.
    """
    token = pay_link.rpartition("/")[2]
    try:
        operator_id, session_id = read_pay_token(context.vault, token[:LINK_LENGTH_MAX])
    except BillUnknownError as error:
        raise PayLinkWrongError from error
    async with context.database.begin() as unit:
        claim = await plate_rows.lock_claim_of(unit, driver_id, claim_id)
        if claim is None:
            raise ClaimNotFoundError
        refusal = rules.claim_refusal(claim, unit.now())
        if refusal is not None:
            raise refusal
        if not await _is_shown(unit, operator_id, session_id, claim.plate_index):
            raise PayLinkWrongError
    visitor = Visitor(claim=paid_claim.mark_of(driver_id, claim_id))
    return await checkout.start(context, token, method, visitor)


async def _is_shown(
    unit: UnitOfWork, operator_id: UUID, session_id: UUID, plate_index: UUID
) -> bool:
    """Return whether the display of an exit asks the car with this plate for this bill now."""
    session = await sessions.find_session(unit, operator_id, session_id)
    if session is None or session.plate_index != plate_index or session.left_at is not None:
        return False
    exit_id = session.exit_presentation_id
    if exit_id is None:
        return False
    standing = await lanes.find_presentation(unit, operator_id, exit_id)
    return (
        standing is not None
        and standing.cleared_at is None
        and standing.action == Action.PAY
        and unit.now() - standing.occupied_at <= SHOWN_WITHIN
    )
