"""What follows from binding and unbinding: a car's stay changes hands, its passes let it go."""

from uuid import UUID

from parking.drivers import stays
from parking.events.types import EventType
from parking.flows.context import ParkingContext
from parking.flows.passes import pass_changes
from parking.flows.payments import mandates as mandate_flows
from parking.kit.database import UnitOfWork
from parking.payments import mandates
from parking.places import service as places
from parking.plates import service as plates
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions
from parking.sessions.events import tell


async def adopt_open_stays(context: ParkingContext, plate: str) -> int:
    """Give a bound plate's open stays that nobody has to its driver; returns how many.

    A transaction of its own, after the binding's: a stay is locked before a claim. Should it be
    lost, the exit ties the stay to the driver all the same.

    Args:
        context: The domain's surroundings.
        plate: The plate in clear, bound just now.
    """
    index = plates.plate_index(context.vault, plate)
    async with context.database.begin() as unit:
        driver_id = await plates.active_binding(unit, index)
        if driver_id is None:
            return 0
        await pass_changes.leave_plate(unit, index, driver_id)
        adopted = 0
        for operator_id, session_id in await session_rows.list_open_of_plate(unit, index):
            session = await sessions.lock_session(unit, operator_id, session_id)
            if session is None or session.left_at is not None or session.driver_id is not None:
                continue
            session.driver_id = driver_id
            await stays.begin_stay(
                unit,
                driver_id,
                operator_id=operator_id,
                session_id=session_id,
                entered_at=session.entered_at,
            )
            place = await places.require_place(unit, operator_id, session.place_id)
            payload = {"place_name": place.name, "timezone": place.timezone}
            tell(unit, session, EventType.SESSION_BILL_CHANGED, payload)
            adopted += 1
        return adopted


async def unbind(context: ParkingContext, driver_id: UUID, binding_id: UUID) -> None:
    """End a binding at once, with what was allowed for its plate alone; idempotent.

    The plate is taken off the driver's passes, and mandates that are only for it end.

    Raises:
        PlateNotFoundError: the driver never had this binding.
    """
    ended: list[tuple[UUID, UUID]] = []
    async with context.database.begin() as unit:
        bound = await plates.find_plate(unit, driver_id, binding_id)
        await plates.unbind_plate(unit, driver_id, binding_id)
        if bound is not None:
            index = plates.plate_index(unit.vault, bound.plate)
            await pass_changes.leave_plate(unit, index, None)
            ended = await end_mandates(unit, index, None)
    for mandate in ended:
        await mandate_flows.tell_provider(context, *mandate)


async def end_mandates(
    unit: UnitOfWork, plate_index: UUID, keeper: UUID | None
) -> list[tuple[UUID, UUID]]:
    """End what was allowed for this plate alone by whoever has it no more; part of the parting.

    Args:
        unit: The transaction that ends or moves the binding.
        plate_index: The plate.
        keeper: Whose it is from now on; None for nobody.

    Returns:
        (driver, mandate) of those that ended; their providers are told by the sweep at the latest.
    """
    return await mandates.end_of_plate(unit, plate_index, keeper)
