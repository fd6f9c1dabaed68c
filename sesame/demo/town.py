"""The town's ground: operators and their places with lanes, made once a data folder."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from parking.kit.database import Database, UnitOfWork
from parking.kit.geography import Position
from parking.places import positions
from parking.places import service as places
from parking.places.errors import LaneUnknownError
from parking.places.models import Direction
from parking.places.positions import Whereabouts
from parking.tariffs import service as tariffs
from sesame.demo.rate_tables import DROP_OFF, OLD_TOWN, SHOPPING_CENTRE

PRIVATE_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class PlacePlan:
    """A place to make; `key` begins the names of its lanes, if it has any.

    Attributes:
        degrees: Latitude and longitude: made up, as the places are, in a town that is there.
    """

    key: str
    operator: str
    name: str
    area: str
    supply: int
    rate_table: dict[str, Any]
    degrees: tuple[float, float]
    has_lanes: bool = True


RIVERSIDE: Final = "riverside"
LAKESIDE: Final = "lakeside"
ALTMARKT: Final = "altmarkt"
NEUMARKT: Final = "neumarkt"
# Its lanes have devices of their own, and no agent that plays them.
QUAY: Final = "quay"
# Where ETC pays: each provider but ETC charges anywhere.
ANTENNA: Final = "lakeside-exit"

_BLUE_HERON: Final = "Blue Heron Parking"
_ELBE: Final = "Elbe Parking"
PLANS: Final = (
    PlacePlan(
        RIVERSIDE, _BLUE_HERON, "Riverside Centre", "B1", 120, SHOPPING_CENTRE, (31.2397, 121.4901)
    ),
    PlacePlan(
        LAKESIDE, _BLUE_HERON, "Lakeside Station", "Drop-off", 24, DROP_OFF, (31.2432, 121.4868)
    ),
    PlacePlan(
        ALTMARKT, "Altstadt Garagen", "Altmarkt", "Level 1", 60, OLD_TOWN, (51.0496, 13.7378)
    ),
    PlacePlan(
        NEUMARKT, _ELBE, "Neumarkt", "Level 1", 80, OLD_TOWN, (51.0515, 13.7413), has_lanes=False
    ),
    PlacePlan(QUAY, _ELBE, "Quay", "Level 1", 30, OLD_TOWN, (51.0541, 13.7396)),
)


class TownLane(BaseModel):
    """A lane of the town with the token of its agent.

    Attributes:
        key: `<place>-entry` or `<place>-exit`.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    lane_id: UUID
    direction: Direction
    token: str


class TownPlace(BaseModel):
    """A place of the town."""

    model_config = ConfigDict(frozen=True)

    key: str
    name: str
    operator: str
    operator_id: UUID
    place_id: UUID
    timezone: str
    currency: str
    lanes: tuple[TownLane, ...]


class Town(BaseModel):
    """Everything that stands in the town."""

    model_config = ConfigDict(frozen=True)

    places: tuple[TownPlace, ...]

    @property
    def lanes(self) -> tuple[TownLane, ...]:
        """Return the lanes of all places."""
        return tuple(lane for place in self.places for lane in place.lanes)

    @property
    def played_lanes(self) -> tuple[TownLane, ...]:
        """Return the lanes that have an agent which plays barrier and camera."""
        return tuple(lane for place in self.places if place.key != QUAY for lane in place.lanes)

    @property
    def operator_ids(self) -> tuple[UUID, ...]:
        """Return each operator once."""
        return tuple(dict.fromkeys(place.operator_id for place in self.places))

    def place(self, key: str) -> TownPlace:
        """Return a place by its key."""
        return next(place for place in self.places if place.key == key)


async def settle(database: Database, path: Path) -> Town:
    """Return the town that `path` remembers, or make one.

    The file holds the lanes' tokens, which the database knows only as digests.
    """
    known = _known(path)
    if known is None or not await _stands(database, known):
        known = Town(places=())
    async with database.begin() as unit:
        town = await _completed(unit, known)
        lane = next(lane for lane in town.place(LAKESIDE).lanes if lane.key == ANTENNA)
        await places.set_antenna(unit, town.place(LAKESIDE).operator_id, lane.lane_id, ANTENNA)
        await _put_on_the_map(unit, town)
    _keep(path, town)
    return town


def _known(path: Path) -> Town | None:
    return Town.model_validate_json(path.read_bytes()) if path.exists() else None


async def _stands(database: Database, town: Town) -> bool:
    """Say whether this database has the town: DATABASE_URL may name another one than before."""
    try:
        async with database.begin() as unit:
            for lane in town.lanes:
                await places.prove_lane(unit, lane.lane_id, lane.token)
    except LaneUnknownError:
        return False
    return True


async def _completed(unit: UnitOfWork, town: Town) -> Town:
    """Return the town with whatever it lacks: a folder of an earlier version has fewer places."""
    found = {place.key for place in town.places}
    operators = {place.operator: place.operator_id for place in town.places}
    added: list[TownPlace] = []
    for plan in PLANS:
        if plan.key in found:
            continue
        if plan.operator not in operators:
            operators[plan.operator] = places.add_operator(unit, plan.operator).id
            await unit.session.flush()
        added.append(await _add_place(unit, operators, plan))
    await unit.session.flush()
    return Town(places=(*town.places, *added))


async def _put_on_the_map(unit: UnitOfWork, town: Town) -> None:
    for plan in PLANS:
        place = town.place(plan.key)
        where = Whereabouts(Position.of(*plan.degrees), plan.name)
        await positions.set_whereabouts(unit, place.operator_id, place.place_id, where, by="demo")


async def _add_place(unit: UnitOfWork, operators: dict[str, UUID], plan: PlacePlan) -> TownPlace:
    place = places.add_place(
        unit,
        operators[plan.operator],
        name=plan.name,
        timezone=plan.rate_table["timezone"],
        currency=plan.rate_table["currency"],
    )
    await unit.session.flush()
    area = places.add_area(unit, place, name=plan.area, supply=plan.supply)
    await unit.session.flush()
    lanes = {
        direction: places.add_lane(unit, area, name=f"{plan.name} {direction}", direction=direction)
        for direction in (Direction if plan.has_lanes else ())
    }
    await tariffs.publish(
        unit, place.operator_id, place.id, currency=place.currency, body=plan.rate_table
    )
    return TownPlace(
        key=plan.key,
        name=plan.name,
        operator=plan.operator,
        operator_id=place.operator_id,
        place_id=place.id,
        timezone=place.timezone,
        currency=place.currency,
        lanes=tuple(
            TownLane(
                key=f"{plan.key}-{direction}",
                lane_id=new.lane.id,
                direction=direction,
                token=new.device_token,
            )
            for direction, new in lanes.items()
        ),
    )


def _keep(path: Path, town: Town) -> None:
    """Write the file whole or not at all."""
    fresh = path.with_suffix(f".{secrets.token_hex(4)}")
    fresh.touch(mode=PRIVATE_MODE)
    fresh.write_text(town.model_dump_json(indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)
