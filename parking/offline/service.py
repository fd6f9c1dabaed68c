"""What an operator lets a gate do without network, within bounds."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.offline import repository
from parking.offline.bundle import CARS_MAX, MONEY_MAX, VALID_HOURS_MAX, Fallback
from parking.offline.models import OfflineSetting

VALID_HOURS: Final = 24
CARS: Final = 20
BY_LENGTH_MAX: Final = 100
DEFAULTS: Final = "defaults"
ENTRY: Final = "entry"


async def settings_of(
    unit: UnitOfWork, operator_id: UUID, directions: Mapping[UUID, str]
) -> dict[UUID, OfflineSetting]:
    """Return what holds for some lanes: an entry opens and records, an exit opens for its list.

    Args:
        unit: The transaction.
        operator_id: Whose lanes.
        directions: Of the lanes, by their ids.
    """
    chosen = await repository.find_settings(unit, operator_id, directions)
    return {
        lane_id: chosen.get(lane_id) or _default(unit, operator_id, lane_id, direction)
        for lane_id, direction in directions.items()
    }


async def setting_of(
    unit: UnitOfWork, operator_id: UUID, lane_id: UUID, direction: str
) -> OfflineSetting:
    """Return what holds for one lane."""
    return (await settings_of(unit, operator_id, {lane_id: direction}))[lane_id]


def _default(unit: UnitOfWork, operator_id: UUID, lane_id: UUID, direction: str) -> OfflineSetting:
    return OfflineSetting(
        operator_id=operator_id,
        lane_id=lane_id,
        fallback=Fallback.OPEN if direction == ENTRY else Fallback.ASK_STAFF,
        valid_hours=VALID_HOURS,
        cars_max=CARS,
        changed_by=DEFAULTS,
        changed_at=unit.now(),
    )


async def choose(unit: UnitOfWork, setting: OfflineSetting) -> None:
    """Let a lane do this without network, from its next policy on.

    Raises:
        InvalidInputError: a bound is out of range.
    """
    if not 1 <= setting.valid_hours <= VALID_HOURS_MAX:
        raise InvalidInputError("valid_hours", f"1 to {VALID_HOURS_MAX}")
    if not 0 <= setting.cars_max <= CARS_MAX:
        raise InvalidInputError("cars_max", f"0 to {CARS_MAX}")
    for name in ("car_risk_minor", "risk_minor_max"):
        amount = getattr(setting, name)
        if amount is not None and not 0 <= amount <= MONEY_MAX:
            raise InvalidInputError(name, f"0 to {MONEY_MAX}")
    if not 0 < len(setting.changed_by.strip()) <= BY_LENGTH_MAX:
        raise InvalidInputError("by", f"1 to {BY_LENGTH_MAX} characters")
    await repository.store_setting(unit, setting)
