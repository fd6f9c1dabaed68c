"""What the policies of one place's lanes say, before they are keyed and signed for each lane.

Most lanes of a place say the same: its rows are read, and its stays priced, once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.flows.lane_types import Direction, Lane
from parking.flows.offline.listing import Listed, list_plates
from parking.kit.canonical_json import fingerprint
from parking.kit.crypto import Vault
from parking.kit.database import UnitOfWork
from parking.offline import bundle as bundles
from parking.offline import service
from parking.offline.bundle import PolicyBundle, RiskCap
from parking.offline.models import OfflineSetting
from parking.places import service as places
from parking.places.models import Place
from parking.plates.normalise import fold_plate
from parking.tariffs import service as tariffs
from parking.tariffs.errors import RateTableMissingError
from parking.tariffs.rules import NO_CIRCUMSTANCES, price

_DAY: Final = timedelta(days=1)
_TEXTS: Final = {
    Direction.ENTRY: ("Welcome",),
    Direction.EXIT: ("Goodbye",),
}
_CLOSED: Final = ("Cannot open", "No network")
_STAFF: Final = ("No network", "Please call staff")

# What a list depends on: direction, area, hours, whether the lane opens for whoever owes.
_ListKey = tuple[Direction, UUID, int, bool]


class PlateList:
    """Plates that several lanes list.

    Its methods take a moment for thousands of plates: they are for a thread, and for one at a time.
    """

    def __init__(self, listed: dict[UUID, Listed]) -> None:
        self._listed = listed
        self._fingerprints: dict[tuple[object, ...], str] = {}
        self._opened: list[tuple[str, Listed]] | None = None

    def __len__(self) -> int:
        return len(self._listed)

    def opened(self, vault: Vault) -> list[tuple[str, Listed]]:
        """Return the plates in clear, spelled as policies spell them."""
        if self._opened is None:
            self._opened = [
                (fold_plate(vault.open(item.plate_sealed, context=item.context)), item)
                for item in self._listed.values()
            ]
        return self._opened

    def fingerprint(self, draft: PolicyBundle) -> str:
        """Return the same for policies that say the same, whenever they were made."""
        hours = int((draft.valid_until - draft.valid_from).total_seconds()) // 3600
        cap = [draft.cap.cars, draft.cap.amount_minor, draft.car_risk_minor]
        key = (draft.fallback, hours, *cap)
        if key not in self._fingerprints:
            self._fingerprints[key] = fingerprint(
                {
                    "fallback": draft.fallback.value,
                    "hours": hours,
                    "cap": cap,
                    "plates": {
                        str(index): [
                            item.right.value,
                            _said(item),
                            item.risk_minor,
                            item.limit_minor,
                        ]
                        for index, item in self._listed.items()
                    },
                }
            )
        return self._fingerprints[key]


@dataclass(frozen=True, slots=True)
class LaneDraft:
    """One lane's policy without version, key and plates, and the plates that belong in it."""

    lane: Lane
    bundle: PolicyBundle
    plates: PlateList


async def draft_policies(unit: UnitOfWork, lanes: Sequence[Lane]) -> list[LaneDraft]:
    """Return what the policies of lanes of one place say now.

    Args:
        unit: The transaction.
        lanes: At least one.
    """
    operator_id, place_id = lanes[0].operator_id, lanes[0].place_id
    place = await places.require_place(unit, operator_id, place_id)
    directions = {lane.lane_id: lane.direction.value for lane in lanes}
    settings = await service.settings_of(unit, operator_id, directions)
    drafting = _Drafting(unit, place)
    return [await drafting.draft(lane, settings[lane.lane_id]) for lane in lanes]


class _Drafting:
    def __init__(self, unit: UnitOfWork, place: Place) -> None:
        self._unit = unit
        self._place = place
        self._zone = ZoneInfo(place.timezone)
        self._now = unit.now()
        self._lists: dict[_ListKey, PlateList] = {}
        self._day_minor: int | None = None

    async def draft(self, lane: Lane, setting: OfflineSetting) -> LaneDraft:
        until = self._now + timedelta(hours=setting.valid_hours)
        car_risk = setting.car_risk_minor
        if car_risk is None:
            car_risk = await self._price_of_a_day(lane)
        amount = setting.risk_minor_max
        cap = RiskCap(setting.cars_max, setting.cars_max * car_risk if amount is None else amount)
        bundle = PolicyBundle(
            version=0,
            lane_id=lane.lane_id,
            place_id=lane.place_id,
            direction=lane.direction.value,
            issued_at=self._now,
            valid_from=self._now,
            valid_until=until,
            currency=self._place.currency,
            hash_key=b"",
            fallback=bundles.Fallback(setting.fallback),
            cap=cap,
            car_risk_minor=car_risk,
            texts={"open": _TEXTS[lane.direction], "closed": _CLOSED, "staff": _STAFF},
            plates={},
        )
        return LaneDraft(lane, bundle, await self._list(lane, setting, until))

    async def _list(self, lane: Lane, setting: OfflineSetting, until: datetime) -> PlateList:
        opens_unpaid = setting.fallback == bundles.Fallback.OPEN
        key = (lane.direction, lane.area_id, setting.valid_hours, opens_unpaid)
        if key not in self._lists:
            listed = await list_plates(
                self._unit,
                lane,
                zone=self._zone,
                currency=self._place.currency,
                until=until,
                opens_unpaid=opens_unpaid,
            )
            self._lists[key] = PlateList(listed)
        return self._lists[key]

    async def _price_of_a_day(self, lane: Lane) -> int:
        """Return what a car costs that nobody knows anything of: this whole day."""
        if self._day_minor is None:
            self._day_minor = await _price_of_a_day(
                self._unit, lane, midnight_before(self._now, self._zone)
            )
        return self._day_minor


def midnight_before(at: datetime, zone: ZoneInfo) -> datetime:
    """Return when the local day began."""
    return datetime.combine(at.astimezone(zone).date(), time(), tzinfo=zone)


async def _price_of_a_day(unit: UnitOfWork, lane: Lane, midnight: datetime) -> int:
    try:
        table_id = await tariffs.id_in_force(unit, lane.operator_id, lane.place_id, unit.now())
    except RateTableMissingError:
        return 0
    table = await tariffs.load(unit, lane.operator_id, table_id)
    return price(table, midnight, midnight + _DAY, NO_CIRCUMSTANCES).total.amount_minor


def _said(item: Listed) -> list[str | int | None]:
    until = None if item.until is None else item.until.isoformat()
    return [item.right.value, until, item.risk_minor, item.limit_minor]
