"""Chargebacks as staff see them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.money import Money
from parking.payments import chargebacks
from parking.payments.chargeback_models import Chargeback, ChargebackStatus


@dataclass(frozen=True, slots=True)
class ChargebackView:
    """What a payer's bank took back.

    Attributes:
        bill_id: The version of the bill that the payment was for.
        owed_bill_id: The version that is owed again; None where it is the operator's loss.
        reference: The provider's id, under which staff answer it there.
        reason: The provider's word for why.
    """

    operator_id: UUID
    id: UUID
    bill_id: UUID
    owed_bill_id: UUID | None
    amount: Money
    status: ChargebackStatus
    reason: str
    provider: str
    reference: str
    opened_at: datetime
    decided_at: datetime | None


async def page_of_operator(
    context: ParkingContext,
    operator_id: UUID,
    *,
    statuses: Sequence[ChargebackStatus],
    first: int,
    before: UUID | None,
    places: Collection[UUID] | None = None,
) -> list[ChargebackView]:
    """Return an operator's chargebacks in these states, those of the newest payments first.

    With `places`, those of bills of these places only.
    """
    async with context.database.begin() as unit:
        rows = await chargebacks.page(
            unit, operator_id, statuses, first=first, before=before, places=places
        )
    return [_view(row) for row in rows]


def _view(row: Chargeback) -> ChargebackView:
    return ChargebackView(
        operator_id=row.operator_id,
        id=row.id,
        bill_id=row.bill_id,
        owed_bill_id=row.owed_bill_id,
        amount=Money(row.amount_minor, row.currency),
        status=ChargebackStatus(row.status),
        reason=row.reason,
        provider=row.provider,
        reference=row.reference,
        opened_at=row.opened_at,
        decided_at=row.decided_at,
    )
