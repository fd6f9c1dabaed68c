"""What a member may name: places that are there, and that they are responsible for."""

from uuid import UUID

from sqlmodel import col, select

from parking.campaigns.document import CampaignDocument, Space
from parking.campaigns.filters import AtPlace, Filter, Habit, clauses_at
from parking.campaigns.triggers import BeforeVisit
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.offers import repository as offers
from parking.places import repository as places
from parking.places.models import Place
from parking.staff.rules import StaffIdentity

_EXPECTED = "places that you are responsible for"


async def require_place(unit: UnitOfWork, staff: StaffIdentity, place_id: UUID | None) -> None:
    """Refuse a place that is not the operator's, or that the member is not responsible for.

    Raises:
        InvalidInputError: it is none of those that the member sees; or none, for one who is
            limited to some.
    """
    known = place_id is None or (
        await places.find_place(unit, staff.operator_id, place_id) is not None
    )
    if not known or not staff.sees(place_id):
        raise InvalidInputError("placeId", "a place that you are responsible for")


async def require_own_places(
    unit: UnitOfWork, staff: StaffIdentity, found: Filter, name: str = "filter"
) -> None:
    """Refuse a filter about places that are not there, or elsewhere than the member's.

    Raises:
        InvalidInputError: it asks what drivers do elsewhere; names the path.
    """
    named: list[tuple[str, UUID]] = []
    for path, clause in clauses_at(found, name):
        if isinstance(clause, AtPlace):
            named += [(f"{path}.placeIds", place_id) for place_id in clause.place_ids]
        elif isinstance(clause, Habit):
            named.append((f"{path}.placeId", clause.place_id))
    await _require(unit, staff, named)


async def require_own_parts(
    unit: UnitOfWork, staff: StaffIdentity, document: CampaignDocument
) -> None:
    """Refuse a campaign about places, or spaces, that the member is not responsible for.

    Raises:
        InvalidInputError: it names the path.
    """
    await require_own_places(unit, staff, document.filter, "campaign.filter")
    if isinstance(document.trigger, BeforeVisit):
        await _require(unit, staff, [("campaign.trigger.placeId", document.trigger.place_id)])
    if isinstance(document.attachment, Space):
        pool = await offers.find_pool(unit, staff.operator_id, document.attachment.pool_id)
        if pool is None or not staff.sees(pool.place_id):
            raise InvalidInputError("campaign.attachment.poolId", "a pool of yours")


async def _require(unit: UnitOfWork, staff: StaffIdentity, named: list[tuple[str, UUID]]) -> None:
    if not named:
        return
    statement = select(Place.id).where(
        col(Place.operator_id) == staff.operator_id,
        col(Place.id).in_({place_id for _, place_id in named}),
    )
    known = set((await unit.session.exec(statement)).all())
    for path, place_id in named:
        if place_id not in known or not staff.sees(place_id):
            raise InvalidInputError(path, _EXPECTED)
