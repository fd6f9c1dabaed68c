"""Every query about offline settings, policies and decisions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import case, text, update
from sqlalchemy import select as select_columns
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.offline.models import (
    OfflinePassage,
    OfflinePolicy,
    OfflineSetting,
    PassageState,
)

WAITING_MAX: Final = 50
DUE_MAX: Final = 50
REVIEW_MAX: Final = 200
BY_HAND: Final = "by_hand"
OPEN_STATES: Final = (PassageState.PENDING, PassageState.UNMATCHED)

_TAKE_DUE = text(
    """
    UPDATE offline_passages SET next_try_at = :now + :lease
    FROM (
        SELECT operator_id, id FROM offline_passages WHERE next_try_at <= :now
        ORDER BY next_try_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE offline_passages.operator_id = due.operator_id AND offline_passages.id = due.id
    RETURNING offline_passages.operator_id, offline_passages.id
    """
)


@dataclass(frozen=True, slots=True)
class PolicyStamp:
    """A lane's newest policy without what it says; see `OfflinePolicy`."""

    version: int
    issued_at: datetime
    valid_until: datetime
    fingerprint: str
    signing_key: str


async def find_settings(
    unit: UnitOfWork, operator_id: UUID, lane_ids: Collection[UUID]
) -> dict[UUID, OfflineSetting]:
    """Return what the operator chose for some lanes, by lane."""
    statement = (
        select(OfflineSetting)
        .where(col(OfflineSetting.operator_id) == operator_id)
        .where(col(OfflineSetting.lane_id).in_(list(lane_ids)))
        .execution_options(populate_existing=True)
    )
    return {row.lane_id: row for row in await unit.session.exec(statement)}


async def store_setting(unit: UnitOfWork, setting: OfflineSetting) -> None:
    """Keep what the operator chose, in the place of what was chosen before."""
    values = setting.model_dump()
    changed = {name: values[name] for name in values if name not in {"operator_id", "lane_id"}}
    statement = insert(OfflineSetting).values(**values)
    await unit.run(
        statement.on_conflict_do_update(index_elements=["operator_id", "lane_id"], set_=changed)
    )


async def find_policy(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> OfflinePolicy | None:
    """Return a lane's newest policy."""
    return await unit.session.get(OfflinePolicy, (operator_id, lane_id), populate_existing=True)


async def find_stamps(
    unit: UnitOfWork, operator_id: UUID, lane_ids: Collection[UUID]
) -> dict[UUID, PolicyStamp]:
    """Return the newest policies of some lanes, by lane."""
    statement = (
        select_columns(
            col(OfflinePolicy.lane_id),
            col(OfflinePolicy.version),
            col(OfflinePolicy.issued_at),
            col(OfflinePolicy.valid_until),
            col(OfflinePolicy.fingerprint),
            col(OfflinePolicy.signing_key),
        )
        .where(col(OfflinePolicy.operator_id) == operator_id)
        .where(col(OfflinePolicy.lane_id).in_(list(lane_ids)))
    )
    return {lane_id: PolicyStamp(*said) for lane_id, *said in await unit.run(statement)}


async def store_policy(unit: UnitOfWork, policy: OfflinePolicy) -> bool:
    """Keep a policy, if it is newer than the one that is stored; returns whether it is."""
    values = policy.model_dump()
    changed = {name: values[name] for name in values if name not in {"operator_id", "lane_id"}}
    statement = insert(OfflinePolicy).values(**values)
    newer = statement.on_conflict_do_update(
        index_elements=["operator_id", "lane_id"],
        set_=changed,
        where=col(OfflinePolicy.version) < policy.version,
    )
    return (await unit.run(newer)).rowcount == 1


async def insert_passage(unit: UnitOfWork, passage: OfflinePassage) -> None:
    """Keep a decision; the same again changes nothing."""
    await unit.insert_once(OfflinePassage, passage.model_dump())


async def find_passage(
    unit: UnitOfWork, operator_id: UUID, passage_id: UUID
) -> OfflinePassage | None:
    """Return a decision as it is stored now."""
    return await unit.session.get(OfflinePassage, (operator_id, passage_id), populate_existing=True)


async def find_waiting(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, plate_index: UUID
) -> Sequence[OfflinePassage]:
    """Return the decisions about a plate at a place that belong to no stay yet.

    Exits that nobody told the entries of stay here for ever, so only the newest of them are looked
    at, after those that still wait: many of them must not hide what comes now.
    """
    is_pending = col(OfflinePassage.state) == PassageState.PENDING
    statement = (
        select(OfflinePassage)
        .where(col(OfflinePassage.operator_id) == operator_id)
        .where(col(OfflinePassage.place_id) == place_id)
        .where(col(OfflinePassage.plate_index) == plate_index)
        .where(col(OfflinePassage.state).in_(OPEN_STATES))
        .order_by(
            is_pending.desc(),
            case((is_pending, col(OfflinePassage.came_at))),
            col(OfflinePassage.came_at).desc(),
        )
        .limit(WAITING_MAX)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).all()


async def find_exits_after(
    unit: UnitOfWork, entry: OfflinePassage, *, horizon: timedelta
) -> Sequence[OfflinePassage]:
    """Return the exits of a plate that ended a stay later than its entry at `entry`."""
    # An id has the time of its decision, a little after the car came.
    statement = (
        select(OfflinePassage)
        .where(col(OfflinePassage.operator_id) == entry.operator_id)
        .where(col(OfflinePassage.id) > entry.id)
        .where(col(OfflinePassage.place_id) == entry.place_id)
        .where(col(OfflinePassage.plate_index) == entry.plate_index)
        .where(col(OfflinePassage.state) == PassageState.APPLIED)
        .where(col(OfflinePassage.direction) == "exit")
        .where(col(OfflinePassage.came_at) > entry.came_at)
        .where(col(OfflinePassage.came_at) < entry.came_at + horizon)
        .limit(WAITING_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def note_motion(
    unit: UnitOfWork,
    operator_id: UUID,
    presentation_id: UUID,
    *,
    passed_at: datetime | None = None,
    is_withdrawn: bool = False,
) -> bool:
    """Remember what a car did whose decision belongs to no stay yet; returns whether it has one."""
    values: dict[str, Any] = {}
    if passed_at is not None:
        values["passed_at"] = passed_at
    if is_withdrawn:
        values |= {"state": PassageState.WITHDRAWN, "next_try_at": None}
    statement = (
        update(OfflinePassage)
        .where(col(OfflinePassage.operator_id) == operator_id)
        .where(col(OfflinePassage.presentation_id) == presentation_id)
        .where(col(OfflinePassage.state).in_(OPEN_STATES))
        # Without a plate there will be no stay.
        .where(col(OfflinePassage.plate_index).is_not(None))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return (await unit.run(statement)).rowcount > 0


async def take_uncounted(unit: UnitOfWork, operator_id: UUID, presentation_id: UUID) -> bool:
    """Mark a car that has passed and belongs to no stay as counted; returns whether it was not."""
    statement = (
        update(OfflinePassage)
        .where(col(OfflinePassage.operator_id) == operator_id)
        .where(col(OfflinePassage.presentation_id) == presentation_id)
        .where(col(OfflinePassage.state) == PassageState.UNMATCHED)
        # Without a plate it is counted as it passes, like any car of which nothing is known.
        .where(col(OfflinePassage.plate_index).is_not(None))
        .where(col(OfflinePassage.passed_at).is_not(None))
        .where(col(OfflinePassage.is_counted).is_(False))
        .values(is_counted=True)
        .execution_options(synchronize_session=False)
    )
    return (await unit.run(statement)).rowcount > 0


async def give_count_back(unit: UnitOfWork, operator_id: UUID, presentation_id: UUID) -> None:
    """Unmark what `take_uncounted` marked: there was nobody to count out."""
    await unit.run(
        update(OfflinePassage)
        .where(col(OfflinePassage.operator_id) == operator_id)
        .where(col(OfflinePassage.presentation_id) == presentation_id)
        .values(is_counted=False)
        .execution_options(synchronize_session=False)
    )


async def let_through_by_hand(
    unit: UnitOfWork, operator_id: UUID, presentation_id: UUID, *, passed_at: datetime
) -> bool:
    """Take a car that passed although its gate had stayed shut for one that was let through.

    Returns whether there is a decision about it, and its plate was read.
    """
    statement = (
        update(OfflinePassage)
        .where(col(OfflinePassage.operator_id) == operator_id)
        .where(col(OfflinePassage.presentation_id) == presentation_id)
        .where(col(OfflinePassage.state) == PassageState.KEPT_CLOSED)
        .where(col(OfflinePassage.plate_index).is_not(None))
        .values(
            state=PassageState.PENDING,
            reason=BY_HAND,
            passed_at=passed_at,
            next_try_at=unit.now(),
        )
        .execution_options(synchronize_session=False)
    )
    return (await unit.run(statement)).rowcount > 0


async def take_due(unit: UnitOfWork, lease: timedelta) -> list[OfflinePassage]:
    """Take decisions that are to be looked at again, for `lease`."""
    values = {"now": unit.now(), "lease": lease, "rows": DUE_MAX}
    keys = [(row.operator_id, row.id) for row in await unit.run(_TAKE_DUE, values)]
    found = [await find_passage(unit, *key) for key in keys]
    return [item for item in found if item is not None]


async def list_for_review(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID
) -> Sequence[OfflinePassage]:
    """Return the newest decisions at a place that a person should look at, newest first."""
    statement = (
        select(OfflinePassage)
        .where(col(OfflinePassage.operator_id) == operator_id)
        .where(col(OfflinePassage.place_id) == place_id)
        .where(col(OfflinePassage.review).is_not(None))
        .order_by(col(OfflinePassage.id).desc())
        .limit(REVIEW_MAX)
    )
    return (await unit.session.exec(statement)).all()
