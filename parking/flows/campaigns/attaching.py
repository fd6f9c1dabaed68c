"""What a campaign gives with a message, in the transaction that sends it."""

from datetime import timedelta
from uuid import UUID

from parking.campaigns.document import CampaignDocument, Coupon, Space
from parking.campaigns.sending import DueSend
from parking.flows.offers import offering
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.offers import repository as offers


async def attach(unit: UnitOfWork, send: DueSend, document: CampaignDocument) -> bool:
    """Give the driver what is attached; returns whether the message goes.

    Once for each run and driver, however often it is tried. Where there is no more of it, the
    document says whether the message goes without. A test gives nothing away.
    """
    attached = document.attachment
    if attached is None or send.is_test:
        return True
    given = await _give(unit, send, attached)
    return given is not None or attached.when_exhausted == "send_without"


async def require_attachable(
    unit: UnitOfWork, operator_id: UUID, document: CampaignDocument
) -> None:
    """Refuse what the operator cannot give.

    Raises:
        InvalidInputError: it has no such pool.
    """
    match document.attachment:
        case Space(pool_id=pool_id):
            if await offers.find_pool(unit, operator_id, pool_id) is None:
                raise InvalidInputError("campaign.attachment.poolId", "a pool of yours")
        case Coupon():
            raise InvalidInputError("campaign.attachment.kind", "'space'")
        case None:
            pass


async def _give(unit: UnitOfWork, send: DueSend, attached: Coupon | Space) -> UUID | None:
    if isinstance(attached, Coupon):
        return None
    arrives_from = unit.now() + timedelta(minutes=attached.arrives_in_minutes)
    return await offering.offer_space(
        unit,
        send.operator_id,
        attached.pool_id,
        send.driver_id,
        arrives_from=arrives_from,
        arrives_until=arrives_from + timedelta(minutes=attached.arrives_within_minutes),
        source=offering.CAMPAIGN,
        source_id=send.run_id,
    )
