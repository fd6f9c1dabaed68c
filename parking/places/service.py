"""Use cases about places: set one up, prove a lane's agent."""

import re
import secrets
from dataclasses import dataclass, field
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.exc import IntegrityError

from parking.kit.crypto import same_digest
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.places import repository
from parking.places.errors import LaneUnknownError, PlaceUnknownError
from parking.places.models import (
    AccessLane,
    Direction,
    IdentifiedArea,
    Operator,
    Place,
)

NAME_LENGTH_MAX = 80
SUPPLY_MAX = 100_000
_TOKEN_KIND = "device_token"  # noqa: S105 - the digest's purpose, not a secret
_TOKEN_BYTES = 32
_ANTENNA = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class NewLane:
    """A lane just made, with the token that is shown this once."""

    lane: AccessLane
    device_token: str = field(repr=False)


def add_operator(unit: UnitOfWork, name: str) -> Operator:
    """Add an operator."""
    operator = Operator(
        id=new_id(unit.now()), name=_checked_name("name", name), created_at=unit.now()
    )
    unit.session.add(operator)
    return operator


def add_place(
    unit: UnitOfWork, operator_id: UUID, *, name: str, timezone: str, currency: str
) -> Place:
    """Add a place.

    Raises:
        InvalidInputError: the zone is not an IANA name, or the currency no ISO 4217 code.
    """
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidInputError("timezone", "an IANA name such as Europe/Berlin") from error
    try:
        Money.zero(currency)
    except ValueError as error:
        raise InvalidInputError("currency", "an ISO 4217 code such as CNY") from error
    place = Place(
        operator_id=operator_id,
        id=new_id(unit.now()),
        name=_checked_name("name", name),
        timezone=timezone,
        currency=currency,
        created_at=unit.now(),
    )
    unit.session.add(place)
    return place


def add_area(unit: UnitOfWork, place: Place, *, name: str, supply: int) -> IdentifiedArea:
    """Add an area with `supply` spaces, labelled from 1 on, which are there from the commit on."""
    if not 0 < supply <= SUPPLY_MAX:
        raise InvalidInputError("supply", f"1 to {SUPPLY_MAX} spaces")
    area = IdentifiedArea(
        operator_id=place.operator_id,
        id=new_id(unit.now()),
        place_id=place.id,
        name=_checked_name("name", name),
        supply=supply,
    )
    unit.session.add(area)
    unit.at_end(("spaces", area.id), lambda: repository.add_spaces(unit, area))
    return area


def add_lane(unit: UnitOfWork, area: IdentifiedArea, *, name: str, direction: Direction) -> NewLane:
    """Add a lane; its token is stored as a digest only.

    The token begins with the operator's id, so that a lane is found in its owner's rows.
    """
    token = f"{area.operator_id.hex}.{secrets.token_urlsafe(_TOKEN_BYTES)}"
    lane = AccessLane(
        operator_id=area.operator_id,
        id=new_id(unit.now()),
        place_id=area.place_id,
        area_id=area.id,
        name=_checked_name("name", name),
        direction=direction,
        device_token_digest=unit.vault.digest(_TOKEN_KIND, token),
    )
    unit.session.add(lane)
    return NewLane(lane, token)


async def set_antenna(
    unit: UnitOfWork, operator_id: UUID, lane_id: UUID, antenna: str | None
) -> AccessLane:
    """Say which ETC antenna is above a lane; None for none.

    Raises:
        InvalidInputError: no such lane, not a name, or the antenna is above another lane.
    """
    if antenna is not None and not _ANTENNA.fullmatch(antenna):
        raise InvalidInputError("antenna", "1 to 64 characters out of 0-9A-Za-z_-")
    lane = await repository.find_lane(unit, operator_id, lane_id)
    if lane is None:
        raise InvalidInputError("lane", "the id of a lane of this operator")
    lane.etc_antenna = antenna
    try:
        await unit.session.flush()
    except IntegrityError as error:
        raise InvalidInputError("antenna", "one that is above no other lane") from error
    return lane


async def antenna_above(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> str | None:
    """Return the ETC antenna above a lane."""
    lane = await repository.find_lane(unit, operator_id, lane_id)
    return None if lane is None else lane.etc_antenna


async def prove_lane(unit: UnitOfWork, lane_id: UUID, token: str) -> AccessLane:
    """Return the lane that the token belongs to.

    Raises:
        LaneUnknownError: malformed token, unknown lane, or the token of another lane.
    """
    lane = await _lane_of_token(unit, lane_id, token)
    given = unit.vault.digest(_TOKEN_KIND, token)
    if lane is None or not same_digest(lane.device_token_digest, given):
        raise LaneUnknownError("Authorization: expected the device token of this lane")
    return lane


async def require_place(unit: UnitOfWork, operator_id: UUID, place_id: UUID) -> Place:
    """Return a place.

    Raises:
        PlaceUnknownError: there is none.
    """
    place = await repository.find_place(unit, operator_id, place_id)
    if place is None:
        raise PlaceUnknownError("place_id: expected a place of this operator")
    return place


async def require_operator(unit: UnitOfWork, operator_id: UUID) -> Operator:
    """Return an operator.

    Raises:
        InvalidInputError: there is none with this id.
    """
    operator = await unit.session.get(Operator, operator_id)
    if operator is None:
        raise InvalidInputError("operator", "the id of one that exists")
    return operator


async def require_place_anywhere(unit: UnitOfWork, place_id: UUID) -> Place:
    """Return a place of whatever operator, for who runs the installation; raises as above."""
    place = await repository.find_place_anywhere(unit, place_id)
    if place is None:
        raise PlaceUnknownError("place: expected the id of a place")
    return place


async def _lane_of_token(unit: UnitOfWork, lane_id: UUID, token: str) -> AccessLane | None:
    try:
        operator_id = UUID(hex=token.partition(".")[0])
    except ValueError:
        return None
    return await repository.find_lane(unit, operator_id, lane_id)


def _checked_name(field: str, name: str) -> str:
    if not 0 < len(name.strip()) <= NAME_LENGTH_MAX:
        raise InvalidInputError(field, f"1 to {NAME_LENGTH_MAX} characters")
    return name.strip()
