"""Habits: nothing without consent, each visit once, and nothing left once it is ended."""

from datetime import timedelta
from uuid import UUID

import pytest

from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.drivers.consent_texts import VERSIONS
from parking.events.envelope import Event
from parking.events.models import OutboxRow
from parking.events.types import EventType
from parking.flows.accounts import consenting
from parking.flows.habits.learning import learn
from parking.habits.repository import expected_visits
from tests.factories.api import ApiWorld
from tests.factories.bound_plates import bind_plate
from tests.factories.lane_world import PLATE
from tests.integration.api.test_sign_in import sign_in_fully

HABITS = ConsentKind.HABITS


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
