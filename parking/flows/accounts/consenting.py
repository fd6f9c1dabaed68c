"""What a driver allows; what rests on a consent goes with it."""

from uuid import UUID

from parking.campaigns import audience
from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.drivers.consents import ConsentView
from parking.flows.context import ParkingContext
from parking.habits import repository as habits
from parking.kit.database import UnitOfWork


async def of_driver(context: ParkingContext, driver_id: UUID) -> list[ConsentView]:
    """Return every kind of consent as it stands."""
    async with context.database.begin() as unit:
        return await consents.list_consents(unit, driver_id)


async def set_consent(
    context: ParkingContext,
    driver_id: UUID,
    kind: ConsentKind,
    *,
    is_given: bool,
    text_version: str,
) -> ConsentView:
    """Give or withdraw a consent; again changes nothing. Returns how it stands.

    Raises:
        InvalidInputError: given, to words that have changed.
        TokenRefusedError: there is no such account any more.
    """
    async with context.database.begin() as unit:
        if is_given:
            await consents.give(unit, driver_id, kind, text_version=text_version)
        else:
            await consents.withdraw(unit, driver_id, kind)
            if kind == ConsentKind.HABITS:
                # In the same commit: a job that learned meanwhile held the consent until its own.
                await habits.forget(unit, driver_id)
        if kind is ConsentKind.MARKETING:
            await _keep_audience(unit, driver_id, is_given=is_given)
        views = await consents.list_consents(unit, driver_id)
    return next(view for view in views if view.kind == kind)


async def _keep_audience(unit: UnitOfWork, driver_id: UUID, *, is_given: bool) -> None:
    """Summarise the stays of who agrees to offers, and delete that of who does not any more."""
    if is_given:
        await audience.refresh(unit, [driver_id])
    else:
        await audience.forget(unit, driver_id)
