"""Which part of a stay a pass covers, and on which of its spaces the car stands.

A car is covered from its entry on, by the passes that its plate is on at that moment, as long as
one of their spaces is free: the car after that pays like anybody else. What is covered stands in
the stay's circumstances; when a pass renews or ends, the stays under way on it hear of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.events.types import EventType
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.passes import lifecycle, repository, rules, spaces
from parking.passes.models import AssignedRight, RightSpecification
from parking.passes.spaces import Standing
from parking.passes.windows import covered_ranges
from parking.places import repository as places
from parking.places import service as place_service
from parking.plates import service as plates
from parking.sessions import service as sessions
from parking.sessions.events import tell
from parking.sessions.models import Session
from parking.tariffs.circumstances import Circumstances, Exemption


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the passes of a plate are to a stay that begins.

    Attributes:
        exemptions: Ranges that do not overlap, oldest first. A range without length says that a
            pass was of no use because cars stand on all of its spaces.
        has_pass: Whether one of the passes that cover the car has begun. One that begins later
            gives no right to another rate: cancelled before that, it costs nothing.
        specification_ids: The products of the passes on whose spaces the car stands.
    """

    exemptions: tuple[Exemption, ...] = ()
    has_pass: bool = False
    specification_ids: tuple[UUID, ...] = ()


async def coverage(
    unit: UnitOfWork,
    *,
    operator_id: UUID,
    place_id: UUID,
    area_id: UUID,
    session_id: UUID,
    plate_index: UUID,
    entered_at: datetime,
    zone: ZoneInfo,
) -> Coverage:
    """Return what the plate's passes cover of a stay that begins, and take their spaces.

    One statement for a plate without a pass. Again returns the same: the stay keeps its space.

    Args:
        unit: The transaction of the entry; the stay is locked, no bill is.
        operator_id: Whose place it is.
        place_id: The place.
        area_id: Where the entry leads.
        session_id: The stay.
        plate_index: The plate as it was read.
        entered_at: When the stay began.
        zone: The place's time zone: the hours of a pass are those of its wall clock.
    """
    found = await repository.find_rights_of_plate(unit, operator_id, plate_index)
    if not found:
        return Coverage()
    driver_id = await plates.active_binding(unit, plate_index)
    standing = Standing(operator_id, place_id, area_id, session_id)
    covered: list[Exemption] = []
    has_pass = False
    specification_ids: list[UUID] = []
    for right, product in found:
        # A binding that ended takes the plate off the pass at the next gate, which is this one.
        if right.driver_id is not None and right.driver_id != driver_id:
            continue
        if not await _includes(unit, product, standing):
            continue
        held = await repository.hold_right(unit, operator_id, right.id)
        ranges = () if held is None else _exemptions(held, product, entered_at, zone)
        if held is None or not ranges:
            continue
        if await spaces.take_space(unit, held, standing, spaces=product.spaces):
            covered.extend(ranges)
            specification_ids.append(product.id)
            has_pass = has_pass or held.starts_at <= entered_at
        else:
            covered.append(_useless(product, entered_at))
    return Coverage(_disjoint(covered), has_pass, tuple(specification_ids))


async def free(unit: UnitOfWork, session: Session) -> None:
    """Free the spaces of a stay that ends. Called wherever `sessions.end` is."""
    await spaces.free_spaces(unit, session.operator_id, session.id)


async def refresh(context: ParkingContext, operator_id: UUID, right_id: UUID) -> int:
    """Tell the stays under way on a pass what it covers now; returns how many there were.

    What a pass covered before it ended stays covered. A stay that ended keeps its bill.
    """
    async with context.database.begin() as unit:
        seen = await repository.find_right(unit, operator_id, right_id)
        taken = () if seen is None else await spaces.list_spaces(unit, seen)
        locked = [
            await sessions.lock_session(unit, operator_id, space.session_id) for space in taken
        ]
        right = await repository.lock_right(unit, operator_id, right_id)
        if right is None:
            return 0
        stays = [session for session in locked if session is not None and session.left_at is None]
        for session in stays:
            await _refresh(unit, session)
        product = await repository.find_product(unit, operator_id, right.specification_id)
        if product is not None:
            right.stays_stale = False
            lifecycle.schedule(unit, right, product)
        return len(stays)


async def _refresh(unit: UnitOfWork, session: Session) -> None:
    place = await place_service.require_place(unit, session.operator_id, session.place_id)
    covered: list[Exemption] = []
    for space in await spaces.list_spaces_of(unit, session.operator_id, session.id):
        right = await repository.find_right(unit, space.operator_id, space.right_id)
        if right is None:
            continue
        product = await repository.find_product(unit, space.operator_id, right.specification_id)
        if product is not None:
            zone = ZoneInfo(place.timezone)
            covered.extend(_exemptions(right, product, session.entered_at, zone))
    before = Circumstances.from_json(session.circumstances)
    # What covered the stays that this one continues, and the time between, stays as it was.
    earlier = (item for item in before.exemptions if item.starts_at < session.entered_at)
    exemptions = (*earlier, *_disjoint(covered))
    after = before.model_copy(
        update={
            "exemptions": exemptions,
            "has_pass": before.has_pass and _is_covered(exemptions),
        }
    ).to_json()
    if after != session.circumstances:
        session.circumstances = after
        payload = {"place_name": place.name, "timezone": place.timezone}
        tell(unit, session, EventType.SESSION_BILL_CHANGED, payload)


async def _includes(unit: UnitOfWork, product: RightSpecification, standing: Standing) -> bool:
    if str(standing.place_id) not in product.place_ids:
        return False
    if product.area_id is None or product.area_id == standing.area_id:
        return True
    lineage = await places.find_lineage(unit, standing.operator_id, standing.area_id)
    return product.area_id in lineage


def _exemptions(
    right: AssignedRight, product: RightSpecification, entered_at: datetime, zone: ZoneInfo
) -> tuple[Exemption, ...]:
    until = rules.covered_until(right, product)
    if until is None:
        return ()
    starts_at = max(entered_at, right.starts_at)
    ranges = covered_ranges(rules.hours_of(product), zone, starts_at, until)
    return tuple(
        Exemption(starts_at=begins, ends_at=ends, note=product.name) for begins, ends in ranges
    )


def _is_covered(exemptions: Iterable[Exemption]) -> bool:
    return any(item.ends_at is None or item.starts_at < item.ends_at for item in exemptions)


def _useless(product: RightSpecification, at: datetime) -> Exemption:
    return Exemption(starts_at=at, ends_at=at, note=product.name)


def _disjoint(exemptions: Sequence[Exemption]) -> tuple[Exemption, ...]:
    """Return the exemptions by their start, each begun no earlier than the last one ends."""
    kept: list[Exemption] = []
    for item in sorted(exemptions, key=lambda one: one.starts_at):
        before = kept[-1].ends_at if kept else None
        starts_at = item.starts_at if before is None else max(item.starts_at, before)
        if item.ends_at is not None and starts_at < item.ends_at:
            kept.append(item.model_copy(update={"starts_at": starts_at}))
    # That a pass was of no use only matters where no other one covers the car.
    return tuple(kept or exemptions[:1])
