"""What cameras and recognisers say of a car, and which of it is believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parking.flows.lane_types import Heading, ObservationMethod, ReadSource, ReadState, TrackedCar
from parking.kit.crypto import Vault
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lane_rows
from parking.lanes import service as lanes
from parking.lanes.models import Presentation
from parking.plates import service as plates
from parking.plates.reads import PlateRead

EVENT_OBSERVATION = "observation"
READ_CONTEXT = "read"
# A camera's own read is decided on after a restart only if no picture is needed to believe it.
CAMERA_CONFIDENCE_MIN = 0.9


@dataclass(frozen=True, slots=True)
class CameraRead:
    """A read as it was kept."""

    read: PlateRead
    source: ReadSource
    state: ReadState
    is_backfill: bool


@dataclass(frozen=True, slots=True)
class SealedRead:
    """A read in the form in which a lane's event keeps it."""

    detail: dict[str, Any]
    sealed: bytes


def seal(vault: Vault, read: PlateRead, source: str, car: TrackedCar) -> SealedRead:
    """Return a camera's read with its plate sealed."""
    detail: dict[str, Any] = {
        "source": source,
        "confidence": read.confidence,
        "heading": car.heading,
        "state": car.state,
        "is_backfill": car.is_backfill,
    }
    if car.car_id is not None:
        # Some cameras name a car by its plate.
        detail["car"] = str(vault.blind_index("camera_car", car.car_id))
    return SealedRead(detail, vault.seal(read.model_dump_json(), context=READ_CONTEXT))


async def find_camera_read(
    unit: UnitOfWork, operator_id: UUID, presentation_id: UUID
) -> CameraRead | None:
    """Return the best sure read of a camera for a car that was not decided on yet.

    None while the camera's last word is that the car drives away.
    """
    kept = await _find_kept(unit, operator_id, presentation_id)
    known = [one for one in kept if one.source.heading != Heading.UNKNOWN]
    if known and known[0].source.heading == Heading.AWAY:
        return None
    return _best([one for one in kept if one.read.confidence >= CAMERA_CONFIDENCE_MIN])


async def newest(
    unit: UnitOfWork, presentation: Presentation, read: PlateRead, source: ReadSource
) -> tuple[PlateRead, ReadSource]:
    """Return the read to decide on: one that the camera corrected meanwhile, if it is surer.

    One statement more, and only where a correction came before the decision.
    """
    if not presentation.has_newer_read:
        return read, source
    kept = await _find_kept(unit, presentation.operator_id, presentation.id)
    best = _best([one for one in kept if one.state == ReadState.UPDATED])
    if best is None or not plates.is_plate(best.read.text):
        return read, source
    if best.read.confidence <= read.confidence:
        return read, source
    return best.read, best.source


async def observe(
    unit: UnitOfWork,
    presentation: Presentation,
    read: PlateRead,
    plate_index: UUID,
    source: ReadSource,
) -> None:
    """Record the read that the lane decided on; a person's stands there already."""
    if source.method == ObservationMethod.STAFF:
        return
    await lanes.observe(unit, presentation, seen(read, plate_index, source))


def seen(read: PlateRead, plate_index: UUID, source: ReadSource) -> lanes.SeenPlate:
    """Return a read in the form in which it is kept."""
    return lanes.SeenPlate(
        plate_index=plate_index,
        text=read.text,
        alternatives={item.text: item.probability for item in read.alternatives},
        confidence=read.confidence,
        frames=read.frames,
        method=source.method,
        source=source.name,
        characters=tuple(character.probability for character in read.characters),
        region=read.region,
    )


def _best(kept: Sequence[CameraRead]) -> CameraRead | None:
    usable = [one for one in kept if not one.is_backfill and one.source.heading != Heading.AWAY]
    # Some cameras say in the plate's field, and are sure of it, that they see none.
    return max(
        usable,
        key=lambda one: (plates.is_plate(one.read.text), one.read.confidence),
        default=None,
    )


async def _find_kept(
    unit: UnitOfWork, operator_id: UUID, presentation_id: UUID
) -> list[CameraRead]:
    """Return what cameras said of a car without a decision, newest first."""
    found = await lane_rows.find_camera_reads(unit, operator_id, presentation_id)
    return [_opened(unit, sealed, detail) for sealed, detail in found]


def _opened(unit: UnitOfWork, sealed: bytes, detail: Mapping[str, Any]) -> CameraRead:
    read = PlateRead.model_validate_json(unit.vault.open(sealed, context=READ_CONTEXT))
    heading = Heading(detail.get("heading", Heading.UNKNOWN))
    source = ReadSource(ObservationMethod.CAMERA, str(detail["source"]), heading)
    state = ReadState(detail.get("state", ReadState.NEW))
    return CameraRead(read, source, state, is_backfill=bool(detail.get("is_backfill")))
