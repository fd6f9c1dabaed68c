"""At which place something is that a staff member names by its id."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import TextClause, text

from parking.flows.context import ParkingContext

_OF_BILL: Final = (
    "SELECT bill.place_id FROM {table} AS row"
    " JOIN bills AS bill ON bill.operator_id = row.operator_id AND bill.id = row.bill_id"
    " WHERE row.operator_id = :operator_id AND row.id = :id"
)
_OWN: Final = "SELECT place_id FROM {table} WHERE operator_id = :operator_id AND id = :id"


def _own(table: str) -> TextClause:
    return text(_OWN.format(table=table))


def _of_bill(table: str) -> TextClause:
    return text(_OF_BILL.format(table=table))


# By the kind in a global id; a kind that is not here is of no one place.
_PLACE_OF: Final[Mapping[str, TextClause]] = {
    "Place": text(
        "SELECT id AS place_id FROM places WHERE operator_id = :operator_id AND id = :id"
    ),
    "AccessLane": _own("access_lanes"),
    "IdentifiedArea": _own("identified_areas"),
    "SpacePool": _own("space_pools"),
    "RightPool": _own("right_pools"),
    "Session": _own("sessions"),
    "Bill": _own("bills"),
    "Payment": _of_bill("payment_attempts"),
    "Refund": _of_bill("refunds"),
    "Dispute": _own("disputes"),
    "MisreadReview": _own("misread_reviews"),
    "Campaign": _own("campaigns"),
    "Segment": _own("audience_segments"),
}
KINDS_AT_PLACES: Final = frozenset(_PLACE_OF)


async def place_of(context: ParkingContext, operator_id: UUID, kind: str, key: UUID) -> UUID | None:
    """Return the place of something of the operator's; None where it has none, or is not there.

    Args:
        context: The domain's surroundings.
        operator_id: Whose member asks.
        kind: One of KINDS_AT_PLACES.
        key: The thing's own id, without its operator's.
    """
    async with context.database.begin() as unit:
        values = {"operator_id": operator_id, "id": key}
        row = (await unit.run(_PLACE_OF[kind], values)).one_or_none()
    return None if row is None else row.place_id
