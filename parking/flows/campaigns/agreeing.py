"""Whether a driver still wants what an operator offers, right before it is told."""

from uuid import UUID

from parking.campaigns.events import CAMPAIGN_MESSAGE
from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.events.envelope import Event
from parking.kit.database import UnitOfWork


async def is_agreed_to(unit: UnitOfWork, event: Event) -> bool:
    """Return whether an event may be told: offers only to those who agree until it is written.

    The consent holds until the transaction ends; a test driver agreed as everybody else.
    """
    if event.type != CAMPAIGN_MESSAGE:
        return True
    driver_id = UUID(str(event.payload["driver_id"]))
    return await consents.hold(unit, driver_id, ConsentKind.MARKETING)
