"""Every query about habits."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, func, select

from parking.habits.arrival import windows
from parking.habits.models import Habit, HabitFit, HabitReset
from parking.habits.scoring import FIRE_VISITS_MIN, FIRES_FROM, score_day
from parking.habits.snapshot import FADED_DAYS, of_rows
from parking.habits.state import DAYS, MINUTES, HabitState, first_visit, unpack, visited
from parking.habits.weights import shipped, weights_of
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.locks import lock

PAIRS_MAX: Final = 500_000
HABITS_MAX: Final = 200
_FORGET: Final = text("DELETE FROM habits WHERE driver_id = :driver_id")
# The consent is looked at again: what it no longer covers is used by nobody.
_PAIRS: Final = text("""
    SELECT driver_id, place_id, first_day, last_day, visits, recent, sums FROM habits
    WHERE operator_id = :operator_id AND last_day >= :since
        AND EXISTS (
            SELECT FROM driver_consents
            WHERE driver_consents.driver_id = habits.driver_id
                AND driver_consents.kind = 'habits' AND driver_consents.withdrawn_at IS NULL
        )
    LIMIT :rows
""")


@dataclass(frozen=True, slots=True)
class ExpectedVisit:
    """That a driver probably comes; the times are local to the place, around midnight too."""

    driver_id: UUID
    place_id: UUID
    probability: float
    arrives_from: time
    arrives_until: time


async def add_visit(
    unit: UnitOfWork, key: tuple[UUID, UUID, UUID], entered_at: datetime, local: datetime
) -> bool:
    """Count a visit, by (operator, place, driver); returns whether it was counted.

    The caller holds the driver's consent, and knows the visit is not older than it.
    """
    operator_id, place_id, driver_id = key
    reset = await unit.session.get(HabitReset, driver_id)
    if reset is not None and entered_at < reset.forgotten_at:
        return False
    day, minute = local.toordinal(), local.hour * 60 + local.minute
    known = await unit.run(
        select(func.min(Habit.first_day)).where(col(Habit.driver_id) == driver_id)
    )
    since: date | None = known.scalar_one()
    state = first_visit(day, minute, known_since=day if since is None else since.toordinal())
    if await unit.insert_new(Habit, _values(key, state, entered_at)):
        return True
    row = await lock(unit, Habit, operator_id=operator_id, place_id=place_id, driver_id=driver_id)
    if row is None:
        raise RuntimeError("a habit that was there is gone while its consent was held")
    state = state_of(row)
    if not visited(state, day, minute):
        return False
    for name, value in _values(key, state, max(entered_at, row.visited_at)).items():
        setattr(row, name, value)
    unit.session.add(row)
    return True


async def forget(unit: UnitOfWork, driver_id: UUID) -> int:
    """Delete what was learned of a driver, and learn nothing older again; returns how many places.

    The caller holds the consent against jobs at work, or has just ended it.
    """
    reset = insert(HabitReset).values(driver_id=driver_id, forgotten_at=unit.now())
    await unit.run(
        reset.on_conflict_do_update(index_elements=["driver_id"], set_={"forgotten_at": unit.now()})
    )
    return (await unit.run(_FORGET, {"driver_id": driver_id})).rowcount


async def of_driver(unit: UnitOfWork, driver_id: UUID) -> list[Habit]:
    """Return what is remembered of a driver, the last visited place first."""
    statement = (
        select(Habit)
        .where(col(Habit.driver_id) == driver_id)
        .order_by(col(Habit.last_day).desc(), col(Habit.place_id))
        .limit(HABITS_MAX)
    )
    return list(await unit.session.exec(statement))


async def expected_visits(
    unit: UnitOfWork,
    operator_id: UUID,
    day: date,
    *,
    place_id: UUID | None = None,
    probability_min: float = FIRES_FROM,
    today: date | None = None,
) -> list[ExpectedVisit]:
    """Return who is expected on a day, today or one of the next six, the likeliest first.

    Whoever came that day already is not expected. Only drivers whose consent holds. Today is the
    places' local day, UTC's if None.

    Raises:
        InvalidInputError: the day is too far away, or the operator has too many pairs.
    """
    if today is None:
        today = min(unit.now().date(), day)
    offset = (day - today).days
    if not 0 <= offset < DAYS:
        raise InvalidInputError("day", f"today or one of the {DAYS - 1} days after it")
    since = today - timedelta(days=FADED_DAYS)
    values = {"operator_id": operator_id, "since": since, "rows": PAIRS_MAX + 1}
    rows: list[Any] = list(await unit.run(_PAIRS, values))
    if len(rows) > PAIRS_MAX:
        raise InvalidInputError("operator_id", f"one with at most {PAIRS_MAX} habits")
    if not rows:
        return []
    drivers = {row.driver_id: number for number, row in enumerate(rows)}
    places = {row.place_id: number for number, row in enumerate(rows)}
    pairs = of_rows(
        today.toordinal(),
        np.array([drivers[row.driver_id] for row in rows]),
        np.array([places[row.place_id] for row in rows]),
        np.array([row.first_day.toordinal() for row in rows]),
        np.array([row.last_day.toordinal() for row in rows]),
        np.array([row.visits for row in rows]),
        np.array([row.recent for row in rows]),
        [row.sums for row in rows],
    )
    scores = score_day(pairs, await _weights(unit, operator_id), offset)
    expected = (scores >= probability_min) & (pairs.visits >= FIRE_VISITS_MIN)
    expected &= pairs.last_day < day.toordinal()
    centre, half = windows(pairs, offset)
    chosen = [int(one) for one in np.flatnonzero(expected)]
    return [
        ExpectedVisit(
            rows[one].driver_id,
            rows[one].place_id,
            float(scores[one]),
            _time(int(centre[one] - half[one])),
            _time(int(centre[one] + half[one])),
        )
        for one in sorted(chosen, key=lambda each: -scores[each])
        if place_id is None or rows[one].place_id == place_id
    ]


def state_of(row: Habit) -> HabitState:
    """Return what a row remembers."""
    return HabitState(
        row.first_day.toordinal(),
        row.last_day.toordinal(),
        row.visits,
        row.recent,
        unpack(row.sums),
    )


async def _weights(unit: UnitOfWork, operator_id: UUID) -> Any:  # noqa: ANN401 - numpy's
    statement = (
        select(HabitFit)
        .where(col(HabitFit.operator_id) == operator_id)
        .order_by(col(HabitFit.id).desc())
        .limit(1)
    )
    newest = (await unit.session.exec(statement)).first()
    return shipped() if newest is None else weights_of(newest.weights)


def _values(
    key: tuple[UUID, UUID, UUID], state: HabitState, visited_at: datetime
) -> dict[str, Any]:
    operator_id, place_id, driver_id = key
    return {
        "operator_id": operator_id,
        "place_id": place_id,
        "driver_id": driver_id,
        "first_day": date.fromordinal(state.first_day),
        "last_day": date.fromordinal(state.last_day),
        "visits": state.visits,
        "recent": state.recent,
        "sums": state.pack(),
        "visited_at": visited_at,
    }


def _time(minute: int) -> time:
    return time(minute % MINUTES // 60, minute % 60)
