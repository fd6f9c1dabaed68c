"""Campaigns on real PostgreSQL: nobody gets one twice, too often, or without having agreed."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import time, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from parking.campaigns import repository, sending
from parking.campaigns.caps import EVERYBODY_DAY_MAX
from parking.campaigns.drawing import draw
from parking.campaigns.errors import (
    AudienceTooSmallError,
    CampaignChangedError,
    CampaignStateError,
    OwnCampaignError,
)
from parking.campaigns.models import CampaignState, RunState
from parking.drivers.consent_models import ConsentKind
from parking.flows.accounts import consenting
from parking.flows.campaigns import delivering, life, results, scheduling, trying
from parking.flows.campaigns.life import Draft
from parking.flows.campaigns.queueing_run import RunKey, queue_run
from parking.kit.database import ConflictError
from parking.kit.errors import InvalidInputError, ParkingError
from parking.notices import preferences
from parking.notices.rules import NoticeCategory, NoticeChannel
from tests.factories.campaign_world import CampaignWorld, document, open_campaign_world


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[CampaignWorld]:
    async with open_campaign_world(database_url, valkey_url) as opened:
        yield opened


async def withdraw(world: CampaignWorld, driver_id: UUID) -> None:
    await consenting.set_consent(
        world.context, driver_id, ConsentKind.MARKETING, is_given=False, text_version=""
    )


async def events(world: CampaignWorld) -> list[str]:
    rows = await world.rows(
        "SELECT payload->>'driver_id' AS driver FROM outbox WHERE type = 'CampaignMessage'"
    )
    return sorted(row["driver"] for row in rows)


async def test_everybody_who_agreed_is_written_to_once(world: CampaignWorld) -> None:
    drivers = await world.add_drivers(5)
    campaign = await world.run_campaign()
    assert await world.sweep() == 5
    assert await world.sweep() == 0
    assert await events(world) == sorted(str(each) for each in drivers)
    assert await world.states(campaign) == {"sent": 5}
    [payload] = await world.rows(
        "SELECT payload FROM outbox WHERE type = 'CampaignMessage' LIMIT 1"
    )
    told = payload["payload"]
    assert (told["title"], told["body"]) == ("Quay有空位", "Blue Heron为您留了车位。")
    assert told["because"] == []


async def test_who_withdraws_between_selection_and_sending_gets_nothing(
    world: CampaignWorld,
) -> None:
    first, second, third = await world.add_drivers(3)
    campaign = await world.run_campaign()
    await scheduling.sweep(world.context)
    assert await world.states(campaign) == {"queued": 3}
    await withdraw(world, first)
    assert await world.states(campaign) == {"withdrawn": 1, "queued": 2}
    # As one that is locked while it is sent would be found: queued, and the consent gone.
    async with world.context.database.begin() as unit:
        await unit.run(
            text("UPDATE driver_consents SET withdrawn_at = now() WHERE driver_id = :driver"),
            {"driver": second},
        )
    assert await delivering.deliver_due(world.context) == 1
    assert await events(world) == [str(third)]
    assert await world.states(campaign) == {"withdrawn": 2, "sent": 1}
    kept = await world.rows("SELECT driver_id FROM audience_members ORDER BY driver_id")
    assert {row["driver_id"] for row in kept} == {second, third}


async def test_who_did_not_agree_is_not_even_selected(world: CampaignWorld) -> None:
    await world.add_drivers(2)
    await world.rows("UPDATE driver_consents SET withdrawn_at = now() RETURNING 1")
    campaign = await world.run_campaign()
    await scheduling.sweep(world.context)
    assert await world.states(campaign) == {}


async def test_who_switched_offers_off_is_not_selected(world: CampaignWorld) -> None:
    muted, other = await world.add_drivers(2, quiet=(time(1), time(2)))
    channels = (NoticeChannel.IN_APP, NoticeChannel.PUSH, NoticeChannel.WEB_PUSH)
    async with world.context.database.begin() as unit:
        for channel in channels:
            await preferences.set_preference(
                unit, muted, NoticeCategory.OFFER, channel, is_on=False
            )
        await preferences.set_preference(
            unit, other, NoticeCategory.OFFER, NoticeChannel.PUSH, is_on=False
        )
    await world.run_campaign()
    await scheduling.sweep(world.context)
    assert await world.rows("SELECT driver_id FROM campaign_sends") == [{"driver_id": other}]


async def test_two_campaigns_at_once_never_exceed_the_cap(world: CampaignWorld) -> None:
    await world.add_drivers(60)
    campaigns = [await world.run_campaign() for _ in range(3)]
    runs = [await world.begin_run(campaign) for campaign in campaigns]
    await asyncio.gather(
        *(
            queue_run(
                world.context, RunKey(world.operator_id, run.campaign_id, run.id), chunk_rows=7
            )
            for run in runs
        )
    )
    states = [await world.states(campaign) for campaign in campaigns]
    assert sum(each.get("queued", 0) for each in states) == 60
    assert sum(each.get("capped", 0) for each in states) == 120
    most = await world.rows(
        "SELECT max(n) AS n FROM (SELECT count(*) AS n FROM campaign_sends"
        " WHERE state = 'queued' GROUP BY driver_id, local_day) AS days"
    )
    assert most == [{"n": 1}]


async def test_all_operators_together_have_a_cap_too(
    world: CampaignWorld,
) -> None:
    [driver] = await world.add_drivers(1)
    campaign = await world.run_campaign()
    for _ in range(EVERYBODY_DAY_MAX):
        await world.rows(
            "INSERT INTO campaign_sends (operator_id, id, driver_id, campaign_id, arm, state,"
            " local_day, not_before, assigned_at) VALUES (gen_random_uuid(), :run, :driver,"
            " gen_random_uuid(), 'assigned', 'sent', '2026-05-05', :now, :now) RETURNING 1",
            run=campaign.id,
            driver=driver,
            now=world.clock.now(),
        )
    assert await world.sweep() == 0
    rows = await world.rows(
        "SELECT state FROM campaign_sends WHERE campaign_id = :id", id=campaign.id
    )
    assert rows == [{"state": "capped"}]


async def test_the_week_has_a_cap_and_the_next_one_begins_on_monday(world: CampaignWorld) -> None:
    await world.add_drivers(1)
    sent: list[int] = []
    # From Tuesday to the Monday after.
    for _ in range(7):
        await world.run_campaign()
        sent.append(await world.sweep())
        world.clock.advance(timedelta(days=1))
    assert sent == [1, 1, 1, 0, 0, 0, 1]


async def test_quiet_hours_put_a_message_off_and_count_it_for_the_day_it_comes(
    world: CampaignWorld,
) -> None:
    await world.add_drivers(1, quiet=(time(9), time(8)))
    campaign = await world.run_campaign()
    assert await world.sweep() == 0
    [row] = await world.rows("SELECT local_day, not_before FROM campaign_sends")
    assert row["local_day"].isoformat() == "2026-05-06"
    assert row["not_before"].isoformat() == "2026-05-06T00:00:00+00:00"
    world.clock.advance(timedelta(hours=22))
    assert await world.sweep() == 1
    assert await world.states(campaign) == {"sent": 1}


async def test_a_message_of_yesterday_counts_for_today_or_does_not_go(
    world: CampaignWorld,
) -> None:
    await world.add_drivers(2)
    first = await world.run_campaign()
    await scheduling.sweep(world.context)
    world.clock.advance(timedelta(days=1))
    # Today's campaign comes first to both; then the worker that stood still goes on.
    second = await world.run_campaign()
    await scheduling.sweep(world.context)
    assert await world.states(second) == {"queued": 2}
    assert await delivering.deliver_due(world.context) == 2
    assert await world.states(first) == {"capped": 2}
    assert await world.states(second) == {"sent": 2}


async def test_a_day_that_came_sooner_than_was_counted_has_its_caps_too(
    world: CampaignWorld,
) -> None:
    await world.add_drivers(1)
    first = await world.run_campaign()
    assert await world.sweep() == 1
    second = await world.run_campaign()
    # Its driver went west: it was counted for tomorrow, and comes today.
    await world.rows("UPDATE campaign_sends SET local_day = local_day + 1 RETURNING 1")
    await scheduling.sweep(world.context)
    await world.rows(
        "UPDATE campaign_sends SET local_day = local_day + CASE campaign_id WHEN :first THEN -1"
        " ELSE 1 END RETURNING 1",
        first=first.id,
    )
    assert await delivering.deliver_due(world.context) == 0
    assert await world.states(second) == {"capped": 1}


async def test_what_is_too_old_is_not_sent(world: CampaignWorld) -> None:
    await world.add_drivers(1)
    campaign = await world.run_campaign(useful_hours=5)
    await scheduling.sweep(world.context)
    world.clock.advance(timedelta(hours=6))
    assert await delivering.deliver_due(world.context) == 0
    assert await world.states(campaign) == {"expired": 1}


async def test_the_budget_ends_messages_and_money(world: CampaignWorld) -> None:
    await world.add_drivers(6)
    by_count = await world.run_campaign(budget={"messages_max": 4, "message_minor": 5})
    await scheduling.sweep(world.context)
    assert await world.states(by_count) == {"queued": 4, "unaffordable": 2}
    by_money = await world.run_campaign(
        budget={"messages_max": 100, "minor_max": 9, "message_minor": 5}
    )
    await scheduling.sweep(world.context)
    # Four of the six have a message of today already.
    assert await world.states(by_money) == {"queued": 1, "capped": 4, "unaffordable": 1}
    [row] = await world.rows(
        "SELECT queued_messages, committed_minor FROM campaigns WHERE id = :id", id=by_money.id
    )
    assert row == {"queued_messages": 1, "committed_minor": 5}


async def test_the_database_draws_as_the_rules_do_and_again_the_same(world: CampaignWorld) -> None:
    await world.set_control(100)
    drivers = await world.add_drivers(120)
    campaign = await world.run_campaign(holdout_permille=300)
    await scheduling.sweep(world.context)
    rows = await world.rows("SELECT driver_id, arm FROM campaign_sends")
    arms = {row["driver_id"]: row["arm"] for row in rows}
    async with world.context.database.begin() as unit:
        policy = await repository.find_policy(unit, world.operator_id)
    for driver in drivers:
        expected = "held_out" if draw(campaign.salt, driver) < 300 else "assigned"
        if draw(policy.salt, driver) < policy.control_permille:
            expected = "control"
        assert arms[driver] == expected
    assert set(arms.values()) == {"assigned", "held_out", "control"}


async def test_a_paused_campaign_stands_still_and_an_ended_one_sends_nothing(
    world: CampaignWorld,
) -> None:
    await world.add_drivers(2)
    campaign = await world.run_campaign()
    await scheduling.sweep(world.context)
    await life.pause(world.context, world.approver, campaign.id)
    assert await world.sweep() == 0
    assert await world.states(campaign) == {"queued": 2}
    await world.begin_run(campaign)
    async with world.context.database.begin() as unit:
        assert await repository.queueing_runs(unit) == []
    await life.end(world.context, world.approver, campaign.id)
    assert await world.sweep() == 0
    assert await world.states(campaign) == {"ended": 2}
    with pytest.raises(CampaignStateError):
        await life.resume(world.context, world.approver, campaign.id)


async def test_nobody_approves_what_they_wrote(world: CampaignWorld) -> None:
    draft = await life.write_draft(world.context, world.author, Draft("Mine", None, document()))
    changed = await life.change_draft(
        world.context, world.approver, draft.id, draft.version, Draft("Ours", None, document())
    )
    sent = await life.submit(world.context, world.author, draft.id, changed.version)
    for person in (world.author, world.approver):
        with pytest.raises(OwnCampaignError):
            await life.approve(world.context, person, draft.id, sent.version)
    with pytest.raises(CampaignChangedError):
        await life.approve(world.context, world.staff("Cyd"), draft.id, draft.version)
    [row] = await world.rows("SELECT state, approved_by FROM campaigns")
    assert row == {"state": "submitted", "approved_by": None}
    await world.add_drivers(9)
    with pytest.raises(AudienceTooSmallError):
        await life.approve(world.context, world.staff("Cyd"), draft.id, sent.version)
    await world.add_drivers(1)
    running = await life.approve(world.context, world.staff("Cyd"), draft.id, sent.version)
    assert running.state is CampaignState.RUNNING


@pytest.mark.parametrize(
    "change",
    [
        # An author as the one who approved.
        "approved_by = authors->>0, approved_digest = md5(document::text)",
        # Nobody approved.
        "state = 'running'",
        # Somebody approved another document.
        "state = 'running', approved_by = 'somebody', approved_digest = md5('{}')",
    ],
)
async def test_the_database_refuses_it_too(world: CampaignWorld, change: str) -> None:
    await life.write_draft(world.context, world.author, Draft("Mine", None, document()))
    with pytest.raises(ConflictError):
        await world.rows(f"UPDATE campaigns SET {change} RETURNING 1")  # noqa: S608 - a case
    [row] = await world.rows("SELECT state, approved_by FROM campaigns")
    assert row == {"state": "draft", "approved_by": None}


async def test_what_is_over_is_not_approved(world: CampaignWorld) -> None:
    await world.add_drivers(10)
    over = {"at": "2026-05-01T09:00", "repeats": "daily", "lastDay": "2026-05-04"}
    trigger = {"kind": "schedule", "timezone": "Asia/Shanghai", **over}
    draft = Draft("Over", None, document(trigger=trigger))
    campaign = await life.write_draft(world.context, world.author, draft)
    campaign = await life.submit(world.context, world.author, campaign.id, campaign.version)
    with pytest.raises(InvalidInputError, match=r"trigger\.lastDay: expected a day with a run"):
        await life.approve(world.context, world.approver, campaign.id, campaign.version)
    [row] = await world.rows("SELECT state, approved_by, approved_digest FROM campaigns")
    assert row == {"state": "submitted", "approved_by": None, "approved_digest": None}


async def test_what_runs_cannot_be_rewritten(world: CampaignWorld) -> None:
    campaign = await world.run_campaign()
    with pytest.raises(ConflictError):
        await world.rows(
            "UPDATE campaigns SET document = jsonb_set(document, '{holdoutPermille}', '500')"
            " RETURNING 1"
        )
    with pytest.raises(CampaignStateError):
        await life.change_draft(
            world.context,
            world.author,
            campaign.id,
            campaign.version,
            Draft("Other", None, document()),
        )


async def test_a_run_goes_on_where_a_dead_process_left_it(world: CampaignWorld) -> None:
    await world.add_drivers(30)
    campaign = await world.run_campaign()
    run = await world.begin_run(campaign)
    key = RunKey(world.operator_id, campaign.id, run.id)
    assert await queue_run(world.context, key, chunk_rows=8, chunks_max=2) is RunState.QUEUEING
    assert await world.states(campaign) == {"queued": 16}
    # The commit of its last chunk was lost, and its rows were not.
    await world.rows("UPDATE campaign_runs SET position = NULL RETURNING 1")
    assert await queue_run(world.context, key, chunk_rows=8) is RunState.QUEUED
    assert await world.states(campaign) == {"queued": 30}


async def test_test_drivers_see_a_draft_and_count_nowhere(world: CampaignWorld) -> None:
    [driver] = await world.add_drivers(1)
    draft = await life.write_draft(world.context, world.author, Draft("New", None, document()))
    await trying.add_test_driver(world.context, world.author, driver, "Ada's phone")
    assert await trying.send_test(world.context, world.author, draft.id) == 1
    assert await delivering.deliver_due(world.context) == 1
    assert await events(world) == [str(driver)]
    found = await results.of_campaign(world.context, world.author, draft.id)
    assert (found.assigned.drivers, found.messages, found.runs) == (0, {}, [])
    for _ in range(trying.TESTS_A_DAY_MAX - 1):
        await trying.send_test(world.context, world.author, draft.id)
    with pytest.raises(ParkingError, match="20 tests in 24 hours"):
        await trying.send_test(world.context, world.author, draft.id)
    world.clock.advance(timedelta(days=1, minutes=1))
    assert await trying.send_test(world.context, world.author, draft.id) == 1


async def test_results_tell_an_effect_or_that_there_is_none_to_tell(world: CampaignWorld) -> None:
    drivers = await world.add_drivers(80)
    campaign = await world.run_campaign(holdout_permille=500)
    await scheduling.sweep(world.context)
    nothing = await results.of_campaign(world.context, world.author, campaign.id)
    assert nothing.effect is not None
    assert nothing.effect.finding == "inconclusive"
    rows = await world.rows("SELECT driver_id FROM campaign_sends WHERE arm = 'assigned'")
    later = world.clock.now() + timedelta(days=1)
    for row in rows:
        await world.rows(
            "INSERT INTO driver_stays (driver_id, session_id, operator_id, entered_at)"
            " VALUES (:driver, gen_random_uuid(), :operator, :at) RETURNING 1",
            driver=row["driver_id"],
            operator=world.operator_id,
            at=later,
        )
    found = await results.of_campaign(world.context, world.author, campaign.id)
    assert found.assigned.share is not None
    assert (found.assigned.share.hits, found.assigned.drivers) == (len(rows), len(rows))
    assert found.effect is not None
    assert found.effect.finding == "more"
    assert len(drivers) == 80
    # A stay that was cancelled is no visit.
    await world.rows(
        "INSERT INTO sessions (operator_id, id, place_id, plate_index, plate_sealed,"
        " rate_table_id, entry_presentation_id, state, version, entered_at, circumstances)"
        " SELECT operator_id, session_id, :place, session_id, '', session_id, session_id,"
        " 'cancelled', 1, entered_at, '{}' FROM driver_stays LIMIT 1 RETURNING 1",
        place=world.place_id,
    )
    found = await results.of_campaign(world.context, world.author, campaign.id)
    assert found.assigned.share is not None
    assert found.assigned.share.hits == len(rows) - 1
    together = await results.of_all(world.context, world.author)
    assert together.reachable.share is not None
    assert together.reachable.share.hits == len(rows) - 1


async def test_workers_at_once_hand_each_message_over_once(world: CampaignWorld) -> None:
    drivers = await world.add_drivers(30)
    campaign = await world.run_campaign()
    await scheduling.sweep(world.context)
    sent = await asyncio.gather(*(delivering.deliver_due(world.context) for _ in range(4)))
    assert sum(sent) == 30
    assert await events(world) == sorted(str(each) for each in drivers)
    assert await world.states(campaign) == {"sent": 30}


async def test_all_campaigns_together_are_held_against_the_control_group(
    world: CampaignWorld,
) -> None:
    await world.set_control(500)
    await world.add_drivers(120)
    await world.run_campaign(holdout_permille=100)
    await scheduling.sweep(world.context)
    await world.rows(
        "INSERT INTO driver_stays (driver_id, session_id, operator_id, entered_at)"
        " SELECT driver_id, gen_random_uuid(), operator_id, :at FROM campaign_sends"
        " WHERE arm <> 'control' RETURNING 1",
        at=world.clock.now() + timedelta(days=1),
    )
    found = await results.of_all(world.context, world.author)
    assert found.reachable.drivers + found.control.drivers == 120
    assert found.reachable.share is not None
    assert found.control.share is not None
    assert found.reachable.share.hits == found.reachable.drivers
    assert found.control.share.hits == 0
    assert found.effect is not None
    assert found.effect.finding == "more"


async def test_offers_stand_in_nobodys_way(world: CampaignWorld) -> None:
    await world.add_drivers(sending.OPEN_MAX + 5)
    await world.run_campaign(budget={"messages_max": 10_000})
    assert await world.sweep() == sending.OPEN_MAX
    assert await world.sweep() == 0
    await world.rows("UPDATE outbox SET done_at = now() WHERE done_at IS NULL RETURNING 1")
    assert await world.sweep() == 5
