"""What drivers do reaches summaries and campaigns; what is sent reaches the inbox, if wanted."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from notifications.handlers import Notifier
from parking.drivers.consent_models import ConsentKind
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.relay import Job
from parking.events.types import EventType
from parking.flows.accounts import consenting
from parking.flows.campaigns import noticing, scheduling
from parking.flows.campaigns.queueing_run import RunKey
from parking.flows.context import ParkingContext
from parking.flows.offers import pools
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.offers.terms import PoolTerms
from parking.places import service as places
from parking.places.models import Place
from tests.factories.campaign_world import CampaignWorld, open_campaign_world

SCHEDULE: Final = {"kind": "schedule", "at": "2026-05-01T09:00", "timezone": "Asia/Shanghai"}


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[CampaignWorld]:
    async with open_campaign_world(database_url, valkey_url) as opened:
        yield opened


async def stay(world: CampaignWorld, driver_id: UUID, *, paid_minor: int = 0) -> UUID:
    """Let a driver have come a day ago, in an electric van, and pay if asked."""
    session_id, at = new_id(world.clock.now()), world.clock.now() - timedelta(days=1)
    values: dict[str, Any] = {
        "driver": driver_id,
        "session": session_id,
        "operator": world.operator_id,
        "place": world.place_id,
        "at": at,
    }
    await world.rows(
        "INSERT INTO sessions (operator_id, id, place_id, plate_index, plate_sealed, driver_id,"
        " rate_table_id, entry_presentation_id, state, version, entered_at, circumstances)"
        " VALUES (:operator, :session, :place, :session, '', :driver, :session, :session, 'left',"
        ' 1, :at, \'{"vehicle": {"vehicle_class": "van", "is_ev": true}}\') RETURNING 1',
        **values,
    )
    await world.rows(
        "INSERT INTO driver_stays (driver_id, session_id, operator_id, entered_at)"
        " VALUES (:driver, :session, :operator, :at) RETURNING 1",
        **{name: values[name] for name in ("driver", "session", "operator", "at")},
    )
    if paid_minor:
        await world.rows(
            "INSERT INTO bills (operator_id, id, session_id, place_id, rate_table_id, version,"
            " state, total_minor, currency, lines, basis, priced_until, issued_at, attempts,"
            " credit_minor) VALUES (:operator, :session, :session, :place, :session, 1, 'paid',"
            " :paid, 'CNY', '[]', '{}', :at, :at, 0, 0) RETURNING 1",
            paid=paid_minor,
            **{name: values[name] for name in ("operator", "session", "place", "at")},
        )
    return session_id


async def happen(
    world: CampaignWorld, kind: EventType, driver_id: UUID, session_id: UUID | None = None
) -> None:
    now = world.clock.now()
    subject, payload = session_id or uuid4(), {"driver_id": str(driver_id)}
    event = Event(new_id(now), kind, world.operator_id, subject, now, payload)
    async with world.context.database.begin() as unit:
        outbox.append(unit, event)


async def notice(world: CampaignWorld) -> None:
    since = world.clock.now() - noticing.LOOKED_BACK
    await noticing.notice(world.context, world.operator_id, since)


async def members(world: CampaignWorld) -> list[dict[str, Any]]:
    return await world.rows(
        "SELECT member.driver_id, member.visits, member.vehicle_kinds, place.spent_minor"
        " FROM audience_members AS member LEFT JOIN audience_places AS place"
        " ON place.driver_id = member.driver_id"
    )


async def test_only_who_agreed_is_summarised_and_withdrawal_deletes_it(
    world: CampaignWorld,
) -> None:
    agreed, silent = await world.add_drivers(2)
    await world.rows("DELETE FROM driver_consents WHERE driver_id = :id RETURNING 1", id=silent)
    await world.rows("DELETE FROM audience_places RETURNING 1")
    await world.rows("DELETE FROM audience_members RETURNING 1")
    for driver in (agreed, silent):
        await stay(world, driver, paid_minor=700)
        await stay(world, driver, paid_minor=500)
        await happen(world, EventType.SESSION_ENDED, driver)
    for _ in range(2):
        await notice(world)
        assert await members(world) == [
            {
                "driver_id": agreed,
                "visits": 2,
                "vehicle_kinds": ["van", "ev"],
                "spent_minor": 1200,
            }
        ]
    await consenting.set_consent(
        world.context, agreed, ConsentKind.MARKETING, is_given=False, text_version=""
    )
    await happen(world, EventType.SESSION_ENDED, agreed)
    await notice(world)
    assert await noticing.refresh_stale(world.context) == 0
    assert await members(world) == []


async def test_an_entry_triggers_once_a_day(world: CampaignWorld) -> None:
    [driver] = await world.add_drivers(1)
    campaign = await world.run_campaign(trigger={"kind": "on_entry"})
    assert await world.sweep() == 0
    await happen(world, EventType.PAYMENT_CHARGED, driver)
    await stay(world, driver)
    await notice(world)
    assert await world.states(campaign) == {}
    await happen(world, EventType.SESSION_ENTERED, driver)
    for _ in range(3):
        await notice(world)
    assert await world.sweep() == 1
    assert await world.states(campaign) == {"sent": 1}
    world.clock.advance(timedelta(days=1))
    await happen(world, EventType.SESSION_ENTERED, driver)
    await notice(world)
    assert await world.sweep() == 1


async def test_a_crowd_is_noticed_page_by_page(
    world: CampaignWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noticing, "EVENTS_MAX", 2)
    campaign = await world.run_campaign(trigger={"kind": "on_entry"})
    for driver in await world.add_drivers(5):
        await happen(world, EventType.SESSION_ENTERED, driver)
    await notice(world)
    assert await world.states(campaign) == {"queued": 5}


async def test_a_places_campaign_hears_of_entries_there_only(world: CampaignWorld) -> None:
    [driver] = await world.add_drivers(1)
    campaign = await world.run_campaign(trigger={"kind": "on_entry"})
    async with world.context.database.begin() as unit:
        hill = places.add_place(
            unit, world.operator_id, name="Hill", timezone="Asia/Shanghai", currency="CNY"
        )
    await world.rows("UPDATE campaigns SET place_id = :id RETURNING 1", id=world.place_id)
    quay, session = await stay(world, driver), await stay(world, driver)
    await world.rows(
        "UPDATE sessions SET place_id = :hill WHERE id = :id RETURNING 1", hill=hill.id, id=session
    )
    await happen(world, EventType.SESSION_ENTERED, driver, session)
    await notice(world)
    assert await world.states(campaign) == {}
    await happen(world, EventType.SESSION_ENTERED, driver, quay)
    await notice(world)
    assert await world.states(campaign) == {"queued": 1}


@pytest.mark.parametrize("is_of_place", [False, True])
async def test_who_lapsed_is_written_to_once_for_that_lapse(
    world: CampaignWorld, is_of_place: bool
) -> None:
    await world.add_drivers(1, days_ago=31)
    await world.add_drivers(1, days_ago=5)
    campaign = await world.run_campaign(
        trigger={"kind": "lapse", "days": 30, "at": "12:00", "timezone": "Asia/Shanghai"}
    )
    if is_of_place:
        # Who was at another place since did lapse here.
        await world.rows("UPDATE audience_members SET last_visit_at = now() RETURNING 1")
        await world.rows("UPDATE campaigns SET place_id = :id RETURNING 1", id=world.place_id)
    sent: list[int] = []
    world.clock.advance(timedelta(hours=3))
    for _ in range(4):
        sent.append(await world.sweep())
        world.clock.advance(timedelta(hours=24))
    assert sent == [1, 0, 0, 0]
    assert await world.states(campaign) == {"sent": 1}


async def test_a_campaign_that_fails_keeps_no_other_waiting(
    world: CampaignWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add_drivers(1)
    slow = await world.run_campaign(trigger={**SCHEDULE, "at": "2026-05-01T08:00"})
    swift = await world.run_campaign()
    queue_run = scheduling.queue_run

    async def time_out(context: ParkingContext, key: RunKey) -> None:
        if key.campaign_id == slow.id:
            raise TimeoutError
        await queue_run(context, key)

    monkeypatch.setattr(scheduling, "queue_run", time_out)
    await scheduling.sweep(world.context)
    assert await world.states(swift) == {"queued": 1}
    assert await world.states(slow) == {}


async def test_an_operator_that_fails_keeps_no_other_waiting(
    world: CampaignWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.context.database.begin() as unit:
        other = places.add_operator(unit, "Grey Heron")
    noticed: list[UUID] = []

    async def fail(context: ParkingContext, operator_id: UUID, since: datetime) -> None:
        noticed.append(operator_id)
        if len(noticed) == 1:
            raise TimeoutError

    monkeypatch.setattr(noticing, "notice", fail)
    watch = noticing.EventWatch(world.context)
    await watch.sweep()
    assert sorted(noticed) == sorted([world.operator_id, other.id])
    assert watch.seen_until is None
    await watch.sweep()
    assert watch.seen_until == world.clock.now()


async def test_what_is_done_ends_by_itself(world: CampaignWorld) -> None:
    await world.add_drivers(1)
    await world.run_campaign()
    await scheduling.sweep(world.context)
    assert await scheduling.end_done(world.context) == 0
    assert await world.sweep() == 1
    assert await scheduling.end_done(world.context) == 1
    [row] = await world.rows("SELECT state, ended_because FROM campaigns")
    assert row == {"state": "ended", "ended_because": "done"}


async def test_the_inbox_says_why_and_a_withdrawal_in_between_leaves_it_empty(
    world: CampaignWorld,
) -> None:
    told, withdrawn = await world.add_drivers(2, locale="en")
    regulars = {"kind": "visits", "atLeast": 2}
    await world.run_campaign(filter=regulars)
    assert await world.sweep() == 2
    await consenting.set_consent(
        world.context, withdrawn, ConsentKind.MARKETING, is_given=False, text_version=""
    )
    notifier = Notifier(world.context.database, None)
    async with world.context.database.begin() as unit:
        leased = await outbox.lease(unit)
    for one in leased:
        assert notifier.wants(one.event)
        await notifier.deliver(Job(one.event.owner_id, one.event.id, one.attempt))
    [row] = await world.rows("SELECT driver_id, category, template, arguments FROM notices")
    assert row == {
        "driver_id": told,
        "category": "offer",
        "template": "campaign",
        "arguments": {
            "title": "Room at Quay",
            "body": "Blue Heron keeps a space for you.",
            "because": ["visits"],
        },
    }
    assert await world.rows("SELECT id FROM outbox WHERE done_at IS NULL") == []


@pytest.mark.parametrize(
    ("when_exhausted", "sent", "states"),
    [
        ("do_not_send", 1, {"sent": 1, "exhausted": 2}),
        ("send_without", 3, {"sent": 3}),
    ],
)
async def test_a_space_goes_with_a_message_while_there_is_one(
    world: CampaignWorld, when_exhausted: str, sent: int, states: dict[str, int]
) -> None:
    await world.add_drivers(3)
    async with world.context.database.begin() as unit:
        place = await unit.session.get_one(Place, (world.operator_id, world.place_id))
        area = places.add_area(unit, place, name="B3", supply=1)
    pool = await pools.create(
        world.context, world.operator_id, area.id, PoolTerms(name="Evenings", spaces=1)
    )
    campaign = await world.run_campaign(
        attachment={"kind": "space", "poolId": str(pool.id), "whenExhausted": when_exhausted}
    )
    assert await world.sweep() == sent
    assert await world.sweep() == 0
    assert await world.states(campaign) == states
    offers = await world.rows("SELECT driver_id, source, state FROM space_offers")
    assert [(one["source"], one["state"]) for one in offers] == [("campaign", "open")]


async def test_nothing_is_attached_that_the_operator_has_not(world: CampaignWorld) -> None:
    with pytest.raises(InvalidInputError, match="poolId: expected a pool of yours"):
        await world.run_campaign(attachment={"kind": "space", "poolId": str(world.place_id)})
    assert await world.rows("SELECT id FROM campaigns") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"filter": {"kind": "habit", "placeId": str(uuid4()), "daysAhead": 1, "percentMin": 50}},
        {"attachment": {"kind": "coupon", "definitionId": str(uuid4())}},
    ],
)
async def test_what_cannot_be_kept_is_not_promised(
    world: CampaignWorld, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError):
        await world.run_campaign(**changes)
    assert await world.rows("SELECT id FROM campaigns") == []
