"""An operator's register of vehicles: what prices may depend on besides the clock.

A record is found by the plate's blind index and belongs to one operator; nobody else's decisions
see it. What is recorded applies from the vehicle's next entry on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from unicodedata import category
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_, select

from parking.kit.crypto import Vault
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.plates.formats import is_new_energy
from parking.plates.models import VehicleRecord
from parking.plates.normalise import fold_plate, normalise_plate
from parking.plates.service import PLATE_CONTEXT, STAFF_NAME_LENGTH_MAX, plate_index

VEHICLE_CLASSES: Final = ("car", "motorcycle", "van", "truck", "bus", "other")
NOTE_LENGTH_MAX: Final = 200
NOTE_EXPECTED: Final = f"at most {NOTE_LENGTH_MAX} characters in one line"
PAGE_MAX: Final = 100
# Bound parameters of one statement are limited to 32,767; a record has eleven.
_ROWS_AT_ONCE_MAX: Final = 1000

_KNOWN = text(
    """
    SELECT
        (
            SELECT driver_id FROM plate_bindings
            WHERE plate_index = :plate_index AND unbound_at IS NULL
            AND (frozen_until IS NULL OR frozen_until <= :now)
        ) AS driver_id,
        vehicle_records.vehicle_class, vehicle_records.is_ev, vehicle_records.is_resident
    FROM (SELECT 1) AS always
    LEFT JOIN vehicle_records
    ON vehicle_records.operator_id = :operator_id AND vehicle_records.plate_index = :plate_index
    AND vehicle_records.valid_from <= :at
    AND (vehicle_records.valid_until IS NULL OR vehicle_records.valid_until > :at)
    """
)


@dataclass(frozen=True, slots=True)
class KnownVehicle:
    """Whom a plate is bound to, and what prices may depend on, of a vehicle at a gate."""

    driver_id: UUID | None
    vehicle_class: str
    is_ev: bool
    is_resident: bool


@dataclass(frozen=True, slots=True)
class VehicleEntry:
    """What staff record of a vehicle.

    Attributes:
        plate: As typed.
        is_ev: None to go by what the plate's format says.
        valid_from: None for now, or for what an earlier record of the plate says.
        valid_until: None for no end.
    """

    plate: str
    vehicle_class: str = "car"
    is_ev: bool | None = None
    is_resident: bool = False
    note: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordedVehicle:
    """A record as its operator's staff see it, with the plate in clear.

    Attributes:
        is_ev: What counts at the gate: the record's word, or else the plate's format.
    """

    plate_index: UUID
    plate: str
    vehicle_class: str
    is_ev: bool
    is_resident: bool
    note: str
    valid_from: datetime
    valid_until: datetime | None
    recorded_by: str
    recorded_at: datetime


def stranger(plate: str) -> KnownVehicle:
    """Return what is known of a plate that is bound to nobody and that no record names."""
    return KnownVehicle(None, "car", is_new_energy(fold_plate(plate)), is_resident=False)


async def known_vehicle(
    unit: UnitOfWork, operator_id: UUID, plate_index: UUID, plate: str, at: datetime
) -> KnownVehicle:
    """Return what is known of a plate at an entry; one statement over two keys."""
    values = {"operator_id": operator_id, "plate_index": plate_index, "at": at, "now": unit.now()}
    row = (await unit.run(_KNOWN, values)).one()
    is_ev = is_new_energy(fold_plate(plate)) if row.is_ev is None else bool(row.is_ev)
    return KnownVehicle(row.driver_id, row.vehicle_class or "car", is_ev, bool(row.is_resident))


async def record_vehicles(
    unit: UnitOfWork, operator_id: UUID, entries: Sequence[VehicleEntry], *, by: str
) -> int:
    """Record vehicles, each in the place of an earlier record of its plate.

    The same again changes nothing, not even who recorded it and when.

    Args:
        unit: The transaction: all are recorded, or none.
        operator_id: Whose register it is.
        entries: A plate may come once only.
        by: Who records them.

    Returns:
        How many records are new or changed.

    Raises:
        InvalidInputError: a field is unusable, or a plate comes twice.
    """
    rows = [_row(unit, operator_id, entry, by) for entry in entries]
    # In one order for everybody, so that two imports do not wait for each other for ever.
    rows.sort(key=lambda row: str(row["plate_index"]))
    if len({row["plate_index"] for row in rows}) < len(rows):
        raise InvalidInputError("plate", "each plate once")
    changed = 0
    for start in range(0, len(rows), _ROWS_AT_ONCE_MAX):
        changed += await _store(unit, rows[start : start + _ROWS_AT_ONCE_MAX])
    return changed


async def find_vehicle(unit: UnitOfWork, operator_id: UUID, plate: str) -> RecordedVehicle | None:
    """Return the operator's record of a plate; another operator's is none of its business.

    Raises:
        InvalidInputError: no plate can read so.
    """
    index = plate_index(unit.vault, normalise_plate(plate))
    row = await unit.session.get(VehicleRecord, (operator_id, index), populate_existing=True)
    return None if row is None else _recorded(unit.vault, row)


async def list_vehicles(
    unit: UnitOfWork, operator_id: UUID, *, first: int, after: UUID | None
) -> list[RecordedVehicle]:
    """Return a page of an operator's records, in an order that tells nothing of the plates."""
    statement = select(VehicleRecord).where(col(VehicleRecord.operator_id) == operator_id)
    if after is not None:
        statement = statement.where(col(VehicleRecord.plate_index) > after)
    page = statement.order_by(col(VehicleRecord.plate_index)).limit(min(first, PAGE_MAX + 1))
    return [_recorded(unit.vault, row) for row in await unit.session.exec(page)]


async def forget_vehicle(unit: UnitOfWork, operator_id: UUID, plate: str) -> bool:
    """Take a plate out of the operator's register; returns whether it was there.

    Stays that have begun keep what was known at their entry.

    Raises:
        InvalidInputError: no plate can read so.
    """
    index = plate_index(unit.vault, normalise_plate(plate))
    statement = (
        delete(VehicleRecord)
        .where(col(VehicleRecord.operator_id) == operator_id)
        .where(col(VehicleRecord.plate_index) == index)
    )
    return (await unit.run(statement)).rowcount == 1


def is_note(text: str) -> bool:
    """Return whether a text can be kept with a record: a database keeps no null character."""
    return len(text) <= NOTE_LENGTH_MAX and not any(category(char) == "Cc" for char in text)


def _in_utc(field: str, moment: datetime | None) -> datetime | None:
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInputError(field, "a time from year 1 to 9999 in UTC") from error


def _row(unit: UnitOfWork, operator_id: UUID, entry: VehicleEntry, by: str) -> dict[str, object]:
    plate = normalise_plate(entry.plate)
    if entry.vehicle_class not in VEHICLE_CLASSES:
        raise InvalidInputError("vehicle_class", f"one of {', '.join(VEHICLE_CLASSES)}")
    if not is_note(entry.note):
        raise InvalidInputError("note", NOTE_EXPECTED)
    valid_from = _in_utc("valid_from", entry.valid_from) or unit.now()
    valid_until = _in_utc("valid_until", entry.valid_until)
    if valid_until is not None and valid_until <= valid_from:
        raise InvalidInputError("valid_until", "a time later than valid_from")
    return {
        "operator_id": operator_id,
        "plate_index": plate_index(unit.vault, plate),
        "plate_sealed": unit.vault.seal(plate, context=PLATE_CONTEXT),
        "vehicle_class": entry.vehicle_class,
        "is_ev": entry.is_ev,
        "is_resident": entry.is_resident,
        "note": entry.note,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "recorded_by": by[:STAFF_NAME_LENGTH_MAX],
        "recorded_at": unit.now(),
        "keeps_start": entry.valid_from is None,
    }


async def _store(unit: UnitOfWork, rows: Sequence[dict[str, object]]) -> int:
    changed = 0
    for keeps_start in (True, False):
        same = [dict(row) for row in rows if row["keeps_start"] is keeps_start]
        if not same:
            continue
        for row in same:
            del row["keeps_start"]
        statement = insert(VehicleRecord).values(same)
        new = statement.excluded
        content = ["vehicle_class", "is_ev", "is_resident", "note", "valid_until"]
        content += [] if keeps_start else ["valid_from"]
        written = [*content, "plate_sealed", "recorded_by", "recorded_at"]
        differs = or_(
            *(col(getattr(VehicleRecord, name)).is_distinct_from(new[name]) for name in content)
        )
        changed += (
            await unit.run(
                statement.on_conflict_do_update(
                    index_elements=["operator_id", "plate_index"],
                    set_={name: new[name] for name in written},
                    where=differs,
                )
            )
        ).rowcount
    return changed


def _recorded(vault: Vault, row: VehicleRecord) -> RecordedVehicle:
    plate = vault.open(row.plate_sealed, context=PLATE_CONTEXT)
    return RecordedVehicle(
        plate_index=row.plate_index,
        plate=plate,
        vehicle_class=row.vehicle_class,
        is_ev=is_new_energy(plate) if row.is_ev is None else row.is_ev,
        is_resident=row.is_resident,
        note=row.note,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        recorded_by=row.recorded_by,
        recorded_at=row.recorded_at,
    )
