"""What a campaign gives with a message, in the transaction that sends it."""

from parking.campaigns.document import CampaignDocument
from parking.campaigns.sending import DueSend
from parking.kit.database import UnitOfWork


async def attach(unit: UnitOfWork, send: DueSend, document: CampaignDocument) -> bool:
    """Give the driver what is attached; returns whether the message goes.

    Once for each run and driver, however often it is tried. Where there is no more of it, the
    document says whether the message goes without.
    """
    _ = unit, send
    return document.attachment is None
