"""What a device sends is kept first, and then does what it should, once."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
from structlog.testing import capture_logs

from gate_bridge.agent import lane_state as lane_state_module
from gate_bridge.agent.errors import BarrierError, DeviceUnknownError, JournalFullError
from gate_bridge.agent.site import intake as intake_module
from gate_bridge.agent.site import message_store as store_module
from gate_bridge.agent.site.both_ways import Seat
from gate_bridge.drivers.port import DeviceMessage
from parking.kit.clock import ManualClock, SystemClock
from tests.integration.site_stage import LaneStage, lane_stage, permit

NOW = SystemClock().now()
# Shorter than a reply waits for an order.
ANSWER_S_MAX = 10.0


async def test_a_read_begins_a_stay_with_its_plate_and_picture(tmp_path: Path) -> None:
    async with lane_stage(tmp_path) as stage:
        assert await stage.send(plate="B777", heading="towards") is False
        assert await stage.told() == ["occupied", "B777"]
        read = (await stage.events())[1]
        car = stage.state.car
        assert car is not None
        assert read["presentation_id"] == str(car.presentation_id)
        assert (read["confidence"], read["source"]) == (0.95, "camera")
        assert read["heading"] == "towards"
        picture = stage.pushed.take(car.presentation_id)
        assert picture is not None
        assert picture.image == b"\xff\xd8picture"


async def test_the_same_bytes_again_change_nothing_even_after_a_restart(tmp_path: Path) -> None:
    body = {"plate": "B777", "read_id": "1", "captured_at": NOW.isoformat()}
    async with lane_stage(tmp_path) as stage:
        await stage.send(**body)
        await stage.send(**body)
        assert await stage.told() == ["occupied", "B777"]
    async with lane_stage(tmp_path) as stage:
        # The camera's word ended with the process: nobody says that the car is still there.
        assert await stage.told() == ["occupied", "B777", "cleared"]
        await stage.send(**body)
        assert await stage.told() == ["occupied", "B777", "cleared"]
        assert stage.line.health.counts["repeated"] == 1


async def test_the_same_bytes_of_a_camera_for_both_ways_change_nothing_after_a_restart(
    tmp_path: Path,
) -> None:
    body = {"plate": "B777", "heading": "towards", "read_id": "1", "captured_at": NOW.isoformat()}
    (tmp_path / "out").mkdir()
    for told in (["occupied", "B777"], ["occupied", "B777", "cleared"]):
        async with lane_stage(tmp_path) as stage, lane_stage(tmp_path / "out") as out:
            stage.line.device = replace(stage.line.device, away_lane_id=uuid4())
            stage.intake.seat_away("camera", Seat(out.desk, out.machine, {}, "out"))
            await stage.send(**body)
            assert (await stage.told(), await out.told()) == (told, [])


async def test_a_body_without_a_time_is_news_at_every_visit(tmp_path: Path) -> None:
    async with lane_stage(tmp_path) as stage:
        await stage.send(plate="B777")
    async with lane_stage(tmp_path) as stage:
        await stage.send(plate="B777")
        assert await stage.told() == ["occupied", "B777", "cleared", "occupied", "B777"]


async def test_what_was_kept_and_not_acted_on_is_recorded_in_order_and_opens_nothing(
    tmp_path: Path,
) -> None:
    async with lane_stage(tmp_path) as stage:
        for plate in ("A111", "B222", "C333"):
            await stage.keep(plate=plate)
        assert await stage.told() == []
    async with lane_stage(tmp_path) as stage:
        await stage.intake.replay()
        assert await stage.told() == ["late A111", "late B222", "late C333"]
        assert stage.state.car is None
        await stage.intake.replay()
        assert len(await stage.told()) == 3


async def test_a_read_from_a_cameras_memory_is_recorded_with_its_time(tmp_path: Path) -> None:
    taken_at = NOW - timedelta(hours=2)
    async with lane_stage(tmp_path) as stage:
        await stage.send(plate="B777", captured_at=taken_at.isoformat(), is_backfill=True)
        (event,) = await stage.events()
        assert (event["plate"], event["is_backfill"]) == ("B777", True)
        recorded = event["captured_at"]
        assert isinstance(recorded, str)
        assert recorded[:16] == taken_at.isoformat()[:16]
        assert stage.state.car is None


@pytest.mark.parametrize("wrong_s", [-600, 600])
async def test_a_clock_that_is_ten_minutes_wrong_costs_no_read(
    tmp_path: Path, wrong_s: int
) -> None:
    async with lane_stage(tmp_path) as stage:
        shown = stage.clock.now() + timedelta(seconds=wrong_s)
        await stage.send(plate="B777", captured_at=shown.isoformat())
        assert await stage.told() == ["occupied", "B777"]
        assert stage.line.health.clock_ahead_s == pytest.approx(wrong_s, abs=5)
    async with lane_stage(tmp_path) as stage:
        # Known over a restart, so that an old read is not taken for a clock that is slow.
        shown = stage.clock.now() + timedelta(seconds=wrong_s - 60)
        await stage.send(plate="C333", captured_at=shown.isoformat())
        assert (await stage.told())[-1] == "late C333"


async def test_a_read_that_was_acted_on_too_late_says_nothing_of_now(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    async with lane_stage(tmp_path, clock=clock) as stage:
        stored_id = await stage.keep(plate="B777")
        clock.advance(timedelta(seconds=11))
        await stage.intake.act(stored_id)
        await stage.intake.close()
        assert await stage.told() == ["late B777"]


async def test_a_message_is_not_replayed_that_was_acted_on_meanwhile(tmp_path: Path) -> None:
    async with lane_stage(tmp_path) as stage:
        stored_id = await stage.keep(plate="B777")
        [waiting] = await stage.store.waiting()
        await stage.intake.act(stored_id)
        await stage.intake.close()
        assert await stage.store.load(waiting) is None
        assert await stage.told() == ["occupied", "B777"]


async def test_a_message_whose_receiver_failed_after_keeping_it_is_told_later(
    tmp_path: Path,
) -> None:
    clock = ManualClock(NOW)
    async with lane_stage(tmp_path, clock=clock) as stage:
        stored_id = await stage.keep(plate="B777")
        await stage.intake.replay()
        assert await stage.told() == []
        clock.advance(timedelta(seconds=31))
        await stage.intake.replay()
        assert await stage.told() == ["late B777"]
        assert await stage.intake.act(stored_id) is False
        assert await stage.told() == ["late B777"]


async def test_a_read_that_was_told_and_not_marked_before_a_kill_is_not_told_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lane_stage(tmp_path) as stage:
        monkeypatch.setattr(stage.store, "done", never_marked)
        await stage.send(plate="B777")
        assert len(await stage.store.waiting()) == 1
    async with lane_stage(tmp_path) as stage:
        await stage.intake.replay()
        assert await stage.told() == ["occupied", "B777", "cleared"]
        assert await stage.store.waiting() == []


async def never_marked(stored_id: UUID, reason: str | None = None) -> None:
    raise JournalFullError(f"{stored_id} {reason}")


async def test_what_a_contact_said_before_a_restart_is_not_replayed(tmp_path: Path) -> None:
    async with lane_stage(tmp_path, has_loop=True) as stage:
        await stage.keep(input=1, is_on=True)
    async with lane_stage(tmp_path, has_loop=True) as stage:
        await stage.intake.replay()
        assert (stage.machine.told, await stage.store.waiting()) == ([], [])


async def test_while_a_lane_is_down_its_reads_are_kept_and_told_later(tmp_path: Path) -> None:
    async with lane_stage(tmp_path) as stage:
        seat = stage.intake.unseat("camera")
        assert await stage.send(plate="B777") is False
        assert (await stage.told(), len(await stage.store.waiting())) == ([], 1)
        assert seat is not None
        stage.intake.seat("camera", seat)
        await stage.intake.replay()
        assert await stage.told() == ["late B777"]


async def test_a_lane_gets_its_reads_while_the_other_one_of_its_camera_is_down(
    tmp_path: Path,
) -> None:
    async with lane_stage(tmp_path) as stage:
        stage.line.device = replace(stage.line.device, away_lane_id=uuid4())
        await stage.send(plate="B777", heading="towards", read_id="1")
        assert (await stage.told(), await stage.store.waiting()) == (["occupied", "B777"], [])
        # Of the lane's own car, and of cars that may be the other lane's.
        await stage.send(plate="B777", confidence=0.99, read_id="2")
        await stage.send(plate="C333", heading="away", read_id="3")
        await stage.send(plate="D444", read_id="4")
        assert await stage.told() == ["occupied", "B777", "B777"]
        assert len(await stage.store.waiting()) == 2


async def test_a_read_that_the_lane_could_not_write_down_is_told_when_it_can(
    tmp_path: Path,
) -> None:
    async with lane_stage(tmp_path) as stage:
        await stage.send(plate="B777", read_id="1")
        journal = stage.journal._connection  # pyright: ignore[reportPrivateUsage]
        await asyncio.to_thread(limit_pages, journal, spare=0)
        await fill(stage)
        await stage.send(plate="B777", confidence=0.99, read_id="2")
        assert len(await stage.store.waiting()) == 1
        await asyncio.to_thread(limit_pages, journal, spare=10_000)
        await stage.intake.replay()
        assert (await stage.told())[-1] == "late B777"
        assert await stage.store.waiting() == []


async def test_a_loop_that_a_device_reports_brings_the_car_and_is_known_after_a_restart(
    tmp_path: Path,
) -> None:
    async with lane_stage(tmp_path, has_loop=True) as stage:
        await stage.send(plate="B777")
        assert await stage.told() == []
        await stage.send(input=1, is_on=True)
        await stage.state.occupied.wait()
        await stage.send(plate="B777", confidence=0.99)
        assert await stage.told() == ["occupied", "B777", "B777"]
        car = stage.state.car
    async with lane_stage(tmp_path, has_loop=True) as stage:
        # A car stands there; whether it is the same one nobody watched.
        assert stage.state.car not in {None, car}
        assert (await stage.told())[3:] == ["cleared", "occupied"]
        await stage.send(plate="B777", confidence=0.97)
        assert (await stage.told())[-1] == "B777"
        await stage.send(input=1, is_on=False)
        await stage.state.free.wait()
        assert (await stage.told())[-1] == "cleared"


async def test_a_contact_that_had_to_wait_for_its_turn_is_told_when_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "UNDER_WAY_MAX", 0)
    async with lane_stage(tmp_path, has_loop=True) as stage:
        for is_on in (True, False, True):
            await stage.send(input=1, is_on=is_on)
        assert stage.machine.told == []
        await stage.intake.replay()
        assert stage.machine.told == ["loop True", "loop False", "loop True"]
        assert stage.machine.loop_occupied()
        [kept] = await stage.store.inputs()
        assert (kept.number, kept.is_on) == (1, True)


async def test_a_car_that_left_while_its_lane_was_down_does_not_stand_there_afterwards(
    tmp_path: Path,
) -> None:
    async with lane_stage(tmp_path, has_loop=True) as stage:
        await stage.send(input=1, is_on=True)
        await stage.state.occupied.wait()
        seat = stage.intake.unseat("camera")
        assert seat is not None
        await stage.send(input=1, is_on=False)
        assert stage.machine.loop_occupied()
        await stage.intake.restore_inputs("camera", seat)
        stage.intake.seat("camera", seat)
        await stage.intake.replay()
        await stage.state.free.wait()
        assert await stage.told() == ["occupied", "cleared"]


async def test_a_car_that_left_right_before_a_kill_does_not_stand_there_afterwards(
    tmp_path: Path,
) -> None:
    async with lane_stage(tmp_path, has_loop=True) as stage:
        await stage.send(input=1, is_on=True)
        await stage.state.occupied.wait()
        await stage.keep(input=1, is_on=False)
    async with lane_stage(tmp_path, has_loop=True) as stage:
        await stage.intake.replay()
        await stage.state.free.wait()
        # Presented anew until what was kept is read.
        assert await stage.told() == ["occupied", "cleared", "occupied", "cleared"]


async def test_a_contacts_newer_word_stands_against_an_older_one_that_had_to_wait(
    tmp_path: Path,
) -> None:
    clock = ManualClock(NOW)
    async with lane_stage(tmp_path, has_loop=True, clock=clock) as stage:
        seat = stage.intake.unseat("camera")
        assert seat is not None
        await stage.send(input=1, is_on=False)
        stage.intake.seat("camera", seat)
        clock.advance(timedelta(seconds=1))
        await stage.send(input=1, is_on=True)
        await stage.intake.replay()
        assert stage.machine.told == ["loop True"]
        # This machine's clock is set right: what is told from now on counts all the same.
        clock.advance(timedelta(hours=-1))
        stage.intake.unseat("camera")
        await stage.send(input=1, is_on=False)
        stage.intake.seat("camera", seat)
        await stage.intake.replay()
        assert stage.machine.told == ["loop True", "loop False"]


@pytest.mark.parametrize(
    ("body", "count"),
    [({"motion": 1}, "not_anpr"), ({}, "unreadable"), ({"defect": 1}, "unreadable")],
)
async def test_what_cannot_be_read_is_kept_with_its_reason_and_not_tried_again(
    tmp_path: Path, body: dict[str, object], count: str
) -> None:
    async with lane_stage(tmp_path) as stage:
        assert await stage.send(**body) is False
        assert await stage.store.waiting() == []
        assert stage.line.health.counts[count] == 1
        assert await stage.told() == []


@pytest.mark.parametrize(
    ("body", "event"),
    [({}, "device_message_unreadable"), ({"defect": 1}, "device_message_failed")],
)
async def test_what_cannot_be_read_is_said_once_a_minute(
    tmp_path: Path, body: dict[str, object], event: str
) -> None:
    async with lane_stage(tmp_path) as stage:
        with capture_logs() as logged:
            for _ in range(3):
                await stage.send(**body)
        assert [each["device"] for each in logged if each["event"] == event] == ["camera"]
        assert stage.line.health.counts["unreadable"] == 3


async def test_what_leads_to_nothing_is_said_once_a_minute_with_its_reason(
    tmp_path: Path,
) -> None:
    async with lane_stage(tmp_path, has_loop=True) as stage:
        with capture_logs() as logged:
            for _ in range(3):
                await stage.send(motion=1)
        told = [each for each in logged if each["event"] == "device_message_unused"]
        assert told == [
            {
                "event": "device_message_unused",
                "log_level": "info",
                "device": "camera",
                "what": "not_anpr",
                "why": "motion",
                "before": 0,
            }
        ]
        assert stage.line.health.counts["not_anpr"] == 3


async def test_an_unknown_device_and_a_full_file_are_refused_and_nothing_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lane_stage(tmp_path) as stage:
        message = DeviceMessage(target="/", headers={}, body=b"{}", received_at=NOW)
        with pytest.raises(DeviceUnknownError):
            await stage.intake.keep("other", message)
        monkeypatch.setattr(store_module, "MESSAGES_MAX", 2)
        await stage.keep(plate="A111")
        await stage.keep(plate="B222")
        with pytest.raises(JournalFullError):
            await stage.keep(plate="C333")
        waiting = [await stage.store.load(one) for one in await stage.store.waiting()]
        bodies = [kept.message.body for kept in waiting if kept is not None]
        assert bodies == [b'{"plate":"A111"}', b'{"plate":"B222"}']
        assert await stage.told() == []


@pytest.mark.parametrize(("limit", "most"), [("MESSAGES_MAX", 2), ("BYTES_MAX", 40)])
async def test_the_oldest_that_was_acted_on_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    async with lane_stage(tmp_path) as stage:
        monkeypatch.setattr(store_module, limit, most)
        await stage.send(motion="a car")
        waiting = await stage.keep(plate="B222")
        newest = await stage.keep(plate="C333")
        assert [one.stored_id for one in await stage.store.waiting()] == [waiting, newest]
        with pytest.raises(JournalFullError):
            await stage.keep(plate="D444")


async def test_a_full_disk_is_said_and_its_end_is_noticed(tmp_path: Path) -> None:
    async with lane_stage(tmp_path) as stage:
        await stage.send(motion="x" * 100_000)
        await stage.keep(motion="y" * 100_000)
        store = stage.store._connection  # pyright: ignore[reportPrivateUsage]
        await asyncio.to_thread(limit_pages, store, spare=1)
        with pytest.raises(JournalFullError):
            await stage.keep(motion="z" * 300_000)
        assert len(await stage.store.waiting()) == 1
        await asyncio.to_thread(limit_pages, store, spare=10_000)
        await stage.keep(motion="z" * 300_000)
        assert len(await stage.store.waiting()) == 2


async def test_what_happens_while_the_lanes_disk_is_full_is_told_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_state_module, "FULL_RETRY_S", 0.01)
    async with lane_stage(tmp_path, has_loop=True) as stage:
        journal = stage.journal._connection  # pyright: ignore[reportPrivateUsage]
        await asyncio.to_thread(limit_pages, journal, spare=0)
        await fill(stage)
        held = await stage.told()
        stage.machine.car_on_loop(is_on=True)
        await stage.send(plate="B777")
        stage.machine.car_on_loop(is_on=False)
        assert (await stage.told(), stage.state.car) == (held, None)
        await asyncio.to_thread(limit_pages, journal, spare=10_000)
        await until_told(stage, "cleared")
        told = (await stage.told())[len(held) :]
        assert [word for word in told if "B777" not in word] == ["occupied", "cleared"]


async def test_a_read_of_a_car_that_left_meanwhile_is_recorded_and_given_to_nobody(
    tmp_path: Path,
) -> None:
    async with lane_stage(tmp_path) as stage:
        await stage.send(plate="B777")
        car, stage.state.car = stage.state.car, None
        await stage.send(plate="B777", confidence=0.97)
        assert await stage.told() == ["occupied", "B777", "late B777"]
        assert car is not None
        stage.state.car = replace(car, presentation_id=uuid4())
        await stage.send(plate="B777", confidence=0.99)
        assert (await stage.told())[3:] == ["late B777"]


async def test_a_camera_that_looks_from_behind_calls_towards_away(tmp_path: Path) -> None:
    async with lane_stage(tmp_path, sees_rear=True) as stage:
        await stage.send(plate="B777", heading="towards")
        assert await stage.told() == []
        await stage.send(plate="C333", heading="away")
        assert [event.get("heading") for event in await stage.events()] == [None, "towards"]


async def fill(stage: LaneStage) -> None:
    """Let the lane's journal take as much as there is room for."""
    for size in (2000, 1):
        body = orjson.dumps({"kind": "x" * size}).decode()
        with pytest.raises(JournalFullError):
            for _ in range(1000):
                await stage.journal.append(uuid4(), "BarrierEvent", body)


def limit_pages(connection: sqlite3.Connection, spare: int) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + spare}")


class TestReplyThatOpens:
    async def test_the_reply_to_the_read_opens_when_the_bridge_says_so(
        self, tmp_path: Path
    ) -> None:
        async with lane_stage(tmp_path, reply_opens=True) as stage:
            stored_id = await stage.keep(plate="B777", read_id="1")
            acting = asyncio.create_task(stage.intake.act(stored_id))
            await stage.state.occupied.wait()
            await until_told(stage, "B777")
            await stage.relay.pulse(permit())
            assert await acting is True
            with pytest.raises(BarrierError):
                await stage.relay.pulse(permit())

    async def test_no_reply_opens_without_an_order_and_no_order_without_a_reply(
        self, tmp_path: Path
    ) -> None:
        async with lane_stage(tmp_path, reply_opens=True, reply_window_s=0.01) as stage:
            with pytest.raises(BarrierError):
                await stage.relay.pulse(permit())
            assert await stage.send(plate="B777", read_id="1") is False
            with pytest.raises(BarrierError):
                await stage.relay.pulse(permit())

    async def test_the_same_question_again_may_open_until_it_was_opened(
        self, tmp_path: Path
    ) -> None:
        async with lane_stage(tmp_path, reply_opens=True) as stage:
            body = {"plate": "B777", "read_id": "1", "captured_at": NOW.isoformat()}
            first = asyncio.create_task(stage.intake.act(await stage.keep(**body)))
            await until_told(stage, "B777")
            again = asyncio.create_task(stage.intake.act(await stage.keep(**body)))
            assert await first is False
            await stage.relay.pulse(permit())
            assert await again is True
            stage.order()
            # Answered at once: there is nothing to wait for.
            async with asyncio.timeout(ANSWER_S_MAX):
                assert await stage.send(**body) is False
            assert await stage.told() == ["occupied", "B777"]

    async def test_a_late_read_and_a_car_that_left_get_an_answer_that_opens_nothing(
        self, tmp_path: Path
    ) -> None:
        async with lane_stage(tmp_path, reply_opens=True) as stage:
            assert await stage.send(plate="A111", is_backfill=True) is False
            acting = asyncio.create_task(stage.intake.act(await stage.keep(plate="B777")))
            await until_told(stage, "B777")
            stage.machine.car_on_loop(is_on=False)
            async with asyncio.timeout(ANSWER_S_MAX):
                assert await acting is False
            with pytest.raises(BarrierError):
                await stage.relay.pulse(permit())

    async def test_a_reply_that_nobody_reads_opens_nothing_and_the_next_one_does(
        self, tmp_path: Path
    ) -> None:
        async with lane_stage(tmp_path, reply_opens=True) as stage:
            body = {"plate": "B777", "read_id": "1", "captured_at": NOW.isoformat()}
            stored_id = await stage.keep(**body)
            first = asyncio.create_task(stage.intake.act(stored_id))
            await until_told(stage, "B777")
            stage.intake.hung_up(stored_id)
            with pytest.raises(BarrierError):
                await stage.relay.pulse(permit())
            assert await first is False
            again = asyncio.create_task(stage.intake.act(await stage.keep(**body)))
            # Gone before anybody looked at what it said.
            gone = await stage.keep(**body)
            unheard = asyncio.create_task(stage.intake.act(gone))
            stage.intake.hung_up(gone)
            assert await unheard is False
            await stage.relay.pulse(permit())
            assert await again is True
            assert await stage.told() == ["occupied", "B777"]

    async def test_a_stranger_to_the_intake_opens_nothing(self, tmp_path: Path) -> None:
        async with lane_stage(tmp_path, reply_opens=True) as stage:
            assert await stage.intake.act(uuid4()) is False
            assert await stage.told() == []


async def until_told(stage: LaneStage, word: str) -> None:
    for _ in range(500):
        if word in await stage.told():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{word} is not told")
