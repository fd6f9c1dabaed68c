"""A lane's signed policy: built when what it says has changed, and handed over in parts."""

import asyncio
import base64
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.flows.context import ParkingContext
from parking.flows.lane_types import Direction, Lane, PolicyPart
from parking.flows.offline.listing import Listed, list_plates
from parking.kit.canonical_json import fingerprint
from parking.kit.crypto import Vault
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.offline import bundle as bundles
from parking.offline import repository, service
from parking.offline.bundle import ListedPlate, PolicyBundle, RiskCap
from parking.offline.models import OfflinePolicy, OfflineSetting
from parking.places import service as places
from parking.plates.normalise import fold_plate
from parking.tariffs import service as tariffs
from parking.tariffs.errors import RateTableMissingError
from parking.tariffs.rules import NO_CIRCUMSTANCES, price

CHUNK_BYTES_MAX: Final = 40 * 1024
BUNDLE_CONTEXT: Final = "offline_policy"
KEY_PURPOSE: Final = "offline_policy"
_DAY: Final = timedelta(days=1)
_TEXTS: Final = {
    Direction.ENTRY: ("Welcome",),
    Direction.EXIT: ("Goodbye",),
}
_CLOSED: Final = ("Cannot open", "No network")
_STAFF: Final = ("No network", "Please call staff")


async def refresh(context: ParkingContext, lane: Lane) -> int:
    """Bring a lane's policy up to date; returns its version, or 0 where it has none.

    A policy that says the same is kept until half of its time is over.
    """
    if context.receipts is None:
        return 0
    async with context.database.begin() as unit:
        setting = await service.setting_of(
            unit, lane.operator_id, lane.lane_id, lane.direction.value
        )
        known = await repository.find_policy(unit, lane.operator_id, lane.lane_id)
        place = await places.require_place(unit, lane.operator_id, lane.place_id)
        now = unit.now()
        until = now + timedelta(hours=setting.valid_hours)
        zone = ZoneInfo(place.timezone)
        listed = await list_plates(
            unit,
            lane,
            zone=zone,
            currency=place.currency,
            until=until,
            opens_unpaid=setting.fallback == bundles.Fallback.OPEN,
        )
        car_risk = setting.car_risk_minor
        if car_risk is None:
            car_risk = await _price_of_a_day(unit, lane, midnight_before(now, zone))
        draft = _draft(lane, setting, place.currency, car_risk, now=now, until=until)
    # Sorting and hashing thousands of plates takes a moment, in which no lane's event may wait.
    said = await asyncio.to_thread(_fingerprint, draft, listed)
    if known is not None and known.fingerprint == said and _is_young(known, now):
        return known.version
    version = 1 if known is None else known.version + 1
    raw = await asyncio.to_thread(_encode, context.vault, draft, version, tuple(listed.values()))
    key_name, signature = context.receipts.sign_bytes(bundles.SIGNED_AS + raw)
    async with context.database.begin() as unit:
        sealed = unit.vault.seal(base64.b64encode(raw).decode(), context=BUNDLE_CONTEXT)
        policy = OfflinePolicy(
            operator_id=lane.operator_id,
            lane_id=lane.lane_id,
            version=version,
            issued_at=now,
            valid_until=until,
            plates=len(listed),
            fingerprint=said,
            signing_key=key_name,
            signature=signature,
            bundle_sealed=sealed,
        )
        if await repository.store_policy(unit, policy):
            return version
        newer = await repository.find_policy(unit, lane.operator_id, lane.lane_id)
    return version if newer is None else newer.version


async def part(context: ParkingContext, lane: Lane, have_version: int, chunk: int) -> PolicyPart:
    """Return a part of a lane's newest policy; an empty one where its agent has that version.

    Raises:
        InvalidInputError: the policy has no such part.
    """
    async with context.database.begin() as unit:
        policy = await repository.find_policy(unit, lane.operator_id, lane.lane_id)
        if policy is None or context.receipts is None:
            return PolicyPart(version=0)
        if policy.version == have_version or policy.signing_key not in context.receipts.keys:
            return PolicyPart(version=policy.version)
        raw = base64.b64decode(unit.vault.open(policy.bundle_sealed, context=BUNDLE_CONTEXT))
    chunks = -(-len(raw) // CHUNK_BYTES_MAX)
    if chunk >= chunks:
        raise InvalidInputError("chunk", f"less than {chunks}")
    return PolicyPart(
        version=policy.version,
        chunk=chunk,
        chunks=chunks,
        public_key=context.receipts.keys[policy.signing_key].public_bytes_raw(),
        signature=policy.signature,
        data=raw[chunk * CHUNK_BYTES_MAX : (chunk + 1) * CHUNK_BYTES_MAX],
    )


def _draft(
    lane: Lane,
    setting: OfflineSetting,
    currency: str,
    car_risk_minor: int,
    *,
    now: datetime,
    until: datetime,
) -> PolicyBundle:
    amount = setting.risk_minor_max
    return PolicyBundle(
        version=0,
        lane_id=lane.lane_id,
        place_id=lane.place_id,
        direction=lane.direction.value,
        issued_at=now,
        valid_from=now,
        valid_until=until,
        currency=currency,
        hash_key=b"",
        fallback=bundles.Fallback(setting.fallback),
        cap=RiskCap(
            setting.cars_max, setting.cars_max * car_risk_minor if amount is None else amount
        ),
        car_risk_minor=car_risk_minor,
        texts={"open": _TEXTS[lane.direction], "closed": _CLOSED, "staff": _STAFF},
        plates={},
    )


def _encode(vault: Vault, draft: PolicyBundle, version: int, listed: tuple[Listed, ...]) -> bytes:
    key = vault.digest(KEY_PURPOSE, f"{draft.lane_id}|{version}")
    plates: dict[bytes, ListedPlate] = {}
    for item in listed:
        plate = fold_plate(vault.open(item.plate_sealed, context=item.context))
        hashed = bundles.hash_plate(key, plate)
        plates[hashed] = ListedPlate(
            hashed, item.right, item.begins_at, item.until, item.risk_minor, item.limit_minor
        )
    return bundles.encode(replace(draft, version=version, hash_key=key, plates=plates))


def _fingerprint(draft: PolicyBundle, listed: dict[UUID, Listed]) -> str:
    """Return the same for policies that say the same, whenever they were made."""
    return fingerprint(
        {
            "fallback": draft.fallback.value,
            "hours": int((draft.valid_until - draft.valid_from).total_seconds()) // 3600,
            "cap": [draft.cap.cars, draft.cap.amount_minor, draft.car_risk_minor],
            "plates": {
                str(index): [item.right.value, _said(item), item.risk_minor, item.limit_minor]
                for index, item in listed.items()
            },
        }
    )


def _said(item: Listed) -> str | None:
    return None if item.until is None else item.until.isoformat()


def _is_young(policy: OfflinePolicy, now: datetime) -> bool:
    return now < policy.issued_at + (policy.valid_until - policy.issued_at) / 2


def midnight_before(at: datetime, zone: ZoneInfo) -> datetime:
    """Return when the local day began."""
    return datetime.combine(at.astimezone(zone).date(), time(), tzinfo=zone)


async def _price_of_a_day(unit: UnitOfWork, lane: Lane, midnight: datetime) -> int:
    """Return what a car costs that nobody knows anything of: this whole day."""
    try:
        table_id = await tariffs.id_in_force(unit, lane.operator_id, lane.place_id, unit.now())
    except RateTableMissingError:
        return 0
    table = await tariffs.load(unit, lane.operator_id, table_id)
    return price(table, midnight, midnight + _DAY, NO_CIRCUMSTANCES).total.amount_minor
