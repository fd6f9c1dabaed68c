"""Habits: nothing without consent, each visit once, and nothing left once it is ended."""

import asyncio
from dataclasses import replace
from datetime import time, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.drivers.consent_texts import VERSIONS
from parking.events.envelope import Event
from parking.events.models import OutboxRow
from parking.events.types import EventType
from parking.flows.accounts import consenting
from parking.flows.habits import own_habits
from parking.flows.habits.learning import learn
from parking.habits.repository import add_visit, expected_visits
from parking.kit.ids import new_id
from tests.factories.api import ApiWorld
from tests.factories.bound_plates import bind_plate
from tests.factories.lane_world import PLATE
from tests.integration.api.test_sign_in import sign_in_fully

HABITS = ConsentKind.HABITS
HABIT_WORDS: Final = (
    "{ viewer { habits { place { name } visits lastVisitOn summary"
    " days { weekday percent arrivesFrom arrivesUntil } } } }"
)
FORGET: Final = (
    "mutation ($key: String!) { forgetHabits(idempotencyKey: $key)"
    " { ... on HabitsForgotten { places } } }"
)
WAITING: Final = (
    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database()"
)


@pytest.fixture
async def driver_id(api: ApiWorld) -> UUID:
    token = (await sign_in_fully(api))["accessToken"]
    driver_id = api.tokens.verify_driver(token).driver_id
    async with api.lanes.context.database.begin() as unit:
        bind_plate(unit, driver_id, PLATE)
    await api.lanes.permit(driver_id)
    return driver_id


async def allow(api: ApiWorld, driver_id: UUID, *, is_given: bool = True) -> None:
    context = api.lanes.context
    await consenting.set_consent(
        context, driver_id, HABITS, is_given=is_given, text_version=VERSIONS[HABITS]
    )


async def ended_stay(api: ApiWorld) -> Event:
    await api.lanes.drive_in(PLATE)
    api.lanes.wait(minutes=30)
    assert (await api.lanes.drive_out(PLATE)).reason == "paid"
    rows = await api.lanes.rows(
        f"SELECT * FROM outbox WHERE type = '{EventType.SESSION_ENDED}' ORDER BY id DESC LIMIT 1"  # noqa: S608 - a name of our own
    )
    row = OutboxRow.model_validate(dict(rows[0]))
    return Event(row.id, row.type, row.owner_id, row.subject_id, row.occurred_at, row.payload)


async def told(api: ApiWorld, event: Event) -> bool:
    async with api.lanes.context.database.begin() as unit:
        return await learn(unit, event)


async def test_nothing_is_learned_without_consent_nor_from_before_it(
    api: ApiWorld, driver_id: UUID
) -> None:
    event = await ended_stay(api)
    assert not await told(api, event)
    api.lanes.wait(minutes=1)
    await allow(api, driver_id)
    assert not await told(api, event)
    assert await api.lanes.count("habits") == 0


async def test_a_visit_counts_once_and_the_end_of_the_consent_deletes_it(
    api: ApiWorld, driver_id: UUID
) -> None:
    await allow(api, driver_id)
    event = await ended_stay(api)
    assert await told(api, event)
    assert not await told(api, event)
    rows = await api.lanes.rows("SELECT driver_id, visits, recent FROM habits")
    assert [tuple(row.values()) for row in rows] == [(driver_id, 1, 1)]
    async with api.lanes.context.database.begin() as unit:
        tomorrow = unit.now().date() + timedelta(days=1)
        assert await expected_visits(unit, event.owner_id, tomorrow) == []
        found = await expected_visits(unit, event.owner_id, tomorrow, probability_min=0.0)
        assert found == []
    await allow(api, driver_id, is_given=False)
    assert await api.lanes.count("habits") == 0
    # Given again: what was before stays forgotten.
    await allow(api, driver_id)
    assert not await told(api, event)
    assert await api.lanes.count("habits") == 0


async def test_a_consent_that_ends_before_the_event_is_handled_leaves_nothing(
    api: ApiWorld, driver_id: UUID
) -> None:
    await allow(api, driver_id)
    event = await ended_stay(api)
    await allow(api, driver_id, is_given=False)
    assert not await told(api, event)
    assert await api.lanes.count("habits") == 0
    async with api.lanes.context.database.begin() as unit:
        assert not await consents.hold(unit, driver_id, HABITS)


async def test_a_driver_sees_what_was_learned_and_has_it_forgotten_once(
    api: ApiWorld, driver_id: UUID
) -> None:
    await allow(api, driver_id)
    event = await ended_stay(api)
    assert await told(api, event)
    token = await api.token_of(driver_id)
    [habit] = (await api.ask(HABIT_WORDS, token=token))["viewer"]["habits"]
    assert (habit["visits"], habit["summary"]) == (1, "No usual day yet.")
    assert [day["percent"] for day in habit["days"]] == [51]
    stranger = await api.token_of(await api.lanes.add_driver("沪B22222"))
    assert (await api.ask(HABIT_WORDS, token=stranger))["viewer"]["habits"] == []
    assert await forget(api, stranger, "stranger-forgets") == {"places": 0}
    assert await api.lanes.count("habits") == 1
    api.lanes.wait(minutes=1)
    assert await forget(api, token, "forget-habits-1") == {"places": 1}
    assert (await api.ask(HABIT_WORDS, token=token))["viewer"]["habits"] == []
    assert not await told(api, replace(event, id=uuid4()))
    # The consent stands: what comes later is learned, and a late repetition forgets nothing.
    api.lanes.wait(minutes=1)
    assert await told(api, await ended_stay(api))
    token = await api.token_of(driver_id)
    assert await forget(api, token, "forget-habits-1") == {"places": 1}
    assert await api.lanes.count("habits") == 1


@pytest.mark.parametrize("how", ["withdrawn", "forgotten"])
async def test_what_ends_while_a_job_learns_waits_for_it_and_deletes_what_it_wrote(
    api: ApiWorld, driver_id: UUID, how: str
) -> None:
    await allow(api, driver_id)
    event = await ended_stay(api)
    api.lanes.wait(minutes=1)
    context = api.lanes.context
    async with context.database.begin() as unit:
        assert await learn(unit, event)
        ending = asyncio.create_task(end(api, driver_id, how))
        await waits_for_a_lock(api)
        assert not ending.done()
    await asyncio.wait_for(ending, 10)
    assert await api.lanes.count("habits") == 0
    assert not await told(api, replace(event, id=uuid4()))
    assert await api.lanes.count("habits") == 0


async def test_a_job_that_comes_while_the_consent_ends_writes_nothing(
    api: ApiWorld, driver_id: UUID
) -> None:
    await allow(api, driver_id)
    event = await ended_stay(api)
    async with api.lanes.context.database.begin() as unit:
        await consents.withdraw(unit, driver_id, HABITS)
        learning = asyncio.create_task(told(api, event))
        await waits_for_a_lock(api)
    assert not await asyncio.wait_for(learning, 10)
    assert await api.lanes.count("habits") == 0


async def test_a_stay_of_a_plate_that_is_anothers_by_now_leaves_no_profile(
    api: ApiWorld, driver_id: UUID
) -> None:
    await allow(api, driver_id)
    event = await ended_stay(api)
    other = await api.lanes.add_driver("沪B22222")
    await allow(api, other)
    # The event says so, the stay is not theirs.
    payload = {**event.payload, "driver_id": str(other)}
    assert not await told(api, replace(event, id=uuid4(), payload=payload))
    await api.lanes.rows_changed("DELETE FROM driver_stays")
    assert not await told(api, event)
    assert await api.lanes.count("habits") == 0


async def test_who_came_every_week_is_expected_the_next_only_while_they_allow_it(
    api: ApiWorld, driver_id: UUID
) -> None:
    await allow(api, driver_id)
    operator_id, place_id = api.lanes.entry.operator_id, new_id(api.lanes.clock.now())
    now = api.lanes.clock.now()
    context = api.lanes.context
    async with context.database.begin() as unit:
        for weeks_ago in range(12, 0, -1):
            came_at = now - timedelta(weeks=weeks_ago)
            key = (operator_id, place_id, driver_id)
            assert await add_visit(unit, key, came_at, came_at.replace(hour=18, minute=30))
    async with context.database.begin() as unit:
        [visit] = await expected_visits(unit, operator_id, now.date())
        assert (visit.driver_id, visit.place_id) == (driver_id, place_id)
        assert 0.5 <= visit.probability <= 1
        assert visit.arrives_from < time(18, 30) < visit.arrives_until
        assert await expected_visits(unit, operator_id, now.date() + timedelta(days=1)) == []
        assert await expected_visits(unit, operator_id, now.date(), place_id=uuid4()) == []
        assert await expected_visits(unit, uuid4(), now.date()) == []
        await unit.run(text("UPDATE driver_consents SET withdrawn_at = now()"))
        assert await expected_visits(unit, operator_id, now.date()) == []


async def end(api: ApiWorld, driver_id: UUID, how: str) -> None:
    if how == "withdrawn":
        await allow(api, driver_id, is_given=False)
    else:
        await own_habits.forget(api.lanes.context, driver_id)


async def forget(api: ApiWorld, token: str, key: str) -> dict[str, Any]:
    return (await api.ask(FORGET, {"key": key}, token=token))["forgetHabits"]


async def waits_for_a_lock(api: ApiWorld) -> None:
    for _ in range(500):
        if await api.lanes.rows(WAITING):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits for a lock")
