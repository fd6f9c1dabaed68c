"""kill -9 in the middle of an exit, then what must hold: one charge, one open, an even ledger."""

from uuid import UUID

import pytest

from sesame.demo.follower import following
from tests.e2e.raw_agent import observation, raw_agent
from tests.e2e.stage import (
    CAR,
    DEADLINE_S,
    EXIT,
    FEE_MINOR,
    PLATE,
    SECOND_EXIT,
    Stage,
    eventually,
)

pytestmark = pytest.mark.asyncio(loop_scope="package")

SERVERS = ("postgres", "valkey")
# Longer than the bridge waits for an answer.
LATE_MS = 6_000
LEFT = "SELECT 1 FROM sessions WHERE id = :id AND left_at IS NOT NULL"


async def test_the_driver_of_an_exit_without_faults_is_told_everything_once(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    await stage.lane(EXIT).car(CAR)
    await stage.expect_left_once(session_id, before)


@pytest.mark.parametrize("name", ["api", "acquirer", "postgres", "valkey"])
async def test_a_process_killed_while_the_charge_is_on_its_way(stage: Stage, name: str) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    async with stage.frozen("acquirer"):
        await stage.lane(EXIT).car(CAR)
        await stage.attempt_stored(session_id)
        if name in SERVERS:
            await stage.kill_server(name)
        else:
            stage.kill(name)

    await stage.expect_left_once(session_id, before)


async def test_a_bridge_killed_while_the_charge_is_on_its_way_settles_it(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    await stage.lose_notices()
    # Neither a notice nor the janitor can help: the next bridge itself must ask the acquirer.
    async with stage.frozen("worker"):
        async with stage.frozen("acquirer"):
            await stage.lane(EXIT).car(CAR)
            await stage.attempt_stored(session_id)
            stage.kill("gates")
        await stage.eventually_rows("the car has left", LEFT, id=session_id)

    await stage.expect_left_once(session_id, before)


async def test_an_acquirer_killed_between_a_charge_and_its_answer(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    await stage.lose_notices()
    await stage.town.desk.play(scenario="delay", delay_ms=LATE_MS)
    await stage.lane(EXIT).car(CAR)
    await stage.charge_booked(before)

    stage.kill("acquirer")

    await stage.expect_left_once(session_id, before)


async def test_a_bridge_killed_between_the_order_to_open_and_its_sending(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    # The notice lets the API order the gate open while the bridge waits for the late answer.
    await stage.town.desk.play(scenario="delay", delay_ms=LATE_MS)
    visit = await stage.lane(EXIT).car(CAR)
    command_id = await stage.command_stored(visit)
    assert stage.pulses() == before.pulses

    stage.kill("gates")

    await stage.expect_left_once(session_id, before)
    assert await stage.commands(visit) == [
        {"id": command_id, "state": "accepted", "rejection": None}
    ]


async def test_a_recognizer_killed_with_the_frames_in_its_hands(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    async with stage.frozen("recognizer"):
        queued = stage.frames_queued()
        visit = await stage.lane(EXIT).car(CAR)
        # No more pictures come: the read has to be made of those that are under way.
        await stage.frames_in_flight(visit, queued)
        stage.kill("recognizer")
    await stage.command_stored(visit)
    stage.thaw(EXIT)

    await stage.expect_left_once(session_id, before)


async def test_an_agent_killed_between_taking_an_order_and_pulsing(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    await stage.lane(EXIT).tell({"faults": {"contact_late_s": 60}})
    visit = await stage.lane(EXIT).car(CAR)
    command_id = await stage.command_stored(visit)
    await stage.command_journalled(EXIT, command_id)
    assert stage.pulses() == before.pulses

    stage.kill(EXIT)

    # Nobody watched the car meanwhile: it is presented anew, and let out by an order of its own.
    await stage.expect_left_once(session_id, before)
    assert await stage.commands(visit) == [{"id": command_id, "state": "issued", "rejection": None}]


async def test_an_agent_killed_between_pulsing_and_saying_so(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    await stage.lane(EXIT).tell({"faults": {"confirmation_late_s": 60}})
    visit = await stage.lane(EXIT).car(CAR)

    async def pulsed() -> bool:
        return stage.pulses() == before.pulses + 1

    await eventually("a pulse", pulsed)
    stage.kill(EXIT)

    await stage.expect_left_once(session_id, before)
    assert len(await stage.commands(visit)) == 1


async def test_an_order_that_arrives_after_its_time_is_refused_and_replaced(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    async with stage.frozen("acquirer"):
        visit = await stage.lane(EXIT).car(CAR)
        await stage.attempt_stored(session_id)
        stage.freeze(EXIT)
    late_id = await stage.command_stored(visit)
    # The bridge repeats its order with a new time: the first one's is what has to pass.
    [first] = await stage.rows("SELECT issued_at FROM gate_commands WHERE id = :id", id=late_id)
    await stage.eventually_rows(
        "the end of the order's time",
        "SELECT 1 WHERE now() > CAST(:at AS timestamptz) + interval '5.2 s'",
        at=first["issued_at"],
    )
    assert stage.pulses() == before.pulses
    stage.thaw(EXIT)

    await stage.expect_left_once(session_id, before)
    commands = await stage.commands(visit)
    assert [(command["state"], command["rejection"]) for command in commands] == [
        ("rejected", "expired"),
        ("accepted", None),
    ]
    assert commands[0]["id"] == late_id


async def test_one_car_at_two_exits_at_once_is_charged_once_and_let_out_once(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    async with stage.frozen("recognizer"):
        visits = [await stage.lane(key).car(CAR) for key in (EXIT, SECOND_EXIT)]
        for visit in visits:
            await stage.frames_stored(visit)

    async def actions() -> list[str] | None:
        rows = await stage.rows(
            "SELECT action FROM presentations WHERE id = ANY(:ids) ORDER BY action",
            ids=[UUID(visit.presentation_id) for visit in visits],
        )
        found = [row["action"] for row in rows]
        return found if found == ["open", "refuse"] else None

    await eventually("one exit opens and the other one refuses", actions)
    await stage.expect_left_once(session_id, before)
    assert sum([len(await stage.commands(visit)) for visit in visits]) == 1


async def test_valkey_emptied_while_frames_are_in_flight(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    async with stage.frozen("recognizer"):
        queued = stage.frames_queued()
        visit = await stage.lane(EXIT).car(CAR)
        # No more pictures come: the read has to be made of those that are lost now.
        await stage.frames_in_flight(visit, queued)
        await stage.flush()
    await stage.command_stored(visit)
    stage.thaw(EXIT)

    await stage.expect_left_once(session_id, before)


async def test_valkey_emptied_while_pushes_are_under_way(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    async with stage.frozen("fcm"):
        await stage.lane(EXIT).car(CAR)
        await stage.eventually_rows(
            "a push under way",
            "SELECT 1 FROM outbox WHERE subject_id = :id AND type = 'PaymentCharged'"
            " AND attempts > 0 AND done_at IS NULL",
            id=session_id,
        )
        await stage.flush()

    await stage.expect_left_once(session_id, before)


async def test_valkey_emptied_and_the_worker_killed_before_anybody_was_told(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    async with stage.frozen("worker"):
        await stage.lane(EXIT).car(CAR)
        await stage.eventually_rows("the car has left", LEFT, id=session_id)
        assert len(await stage.pushes(session_id)) == 2
        await stage.flush()
        stage.kill("worker")

    await stage.expect_left_once(session_id, before)


async def test_valkey_emptied_and_killed_while_a_phone_follows_its_stay(stage: Stage) -> None:
    session_id = await stage.enter()
    before = await stage.look()
    session = await stage.phone.active_session(PLATE)
    async with following(stage.phone, session["id"]) as follower:
        await follower.wait(lambda update: update["reason"] == "SNAPSHOT", DEADLINE_S)
        await stage.flush()
        await stage.kill_server("valkey")
        await stage.lane(EXIT).car(CAR)
        last = await follower.wait(lambda update: update["event"] == "SessionEnded", DEADLINE_S)

    assert last["session"]["state"] == "LEFT"
    assert last["session"]["bill"]["paid"]["amountMinor"] == FEE_MINOR
    assert follower.events().count("PaymentCharged") == 1
    versions = [update["version"] for update in follower.updates if update["reason"] == "CHANGE"]
    assert versions == sorted(versions)
    await stage.expect_left_once(session_id, before)


async def test_the_same_observation_twice_lets_a_car_in_once(stage: Stage) -> None:
    plate = "MKL4731"
    async with raw_agent(stage) as agent:
        hello = await agent.hello()
        first_seq = hello["last_seq"] + 1
        presentation_id = await agent.start(first_seq)
        seen = observation(first_seq + 1, presentation_id, plate)
        assert await agent.answer("Observation", seen) == {"last_seq": first_seq + 1}
        assert await agent.answer("Observation", seen) == {"last_seq": first_seq + 1}
        order = await agent.order()
        assert await agent.answer("Observation", seen) == {"last_seq": first_seq + 1}
    # Nobody answered the order: it comes again on the next connection, as the same one.
    async with raw_agent(stage) as agent:
        await agent.hello(first_seq + 2, presentation_id)
        again = await agent.order()
        assert await agent.answer("Observation", seen) == {"last_seq": first_seq + 1}

    assert (order["presentation_id"], order["command_id"]) == (
        str(presentation_id),
        again["command_id"],
    )
    for table in ("observations", "gate_commands"):
        rows = await stage.rows(
            f"SELECT 1 FROM {table} WHERE presentation_id = :id",  # noqa: S608 - two known names
            id=presentation_id,
        )
        assert len(rows) == 1, table
    entered = "SELECT state FROM sessions WHERE entry_presentation_id = :id"
    assert await stage.rows(entered, id=presentation_id) == [{"state": "active"}]
