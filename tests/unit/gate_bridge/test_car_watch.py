"""Which of the cars that cameras read is the one in the lane."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gate_bridge.agent.site.camera_watch import CameraWatch
from gate_bridge.agent.site.car_rules import Sighting
from gate_bridge.agent.site.car_steps import (
    CarCame,
    CarLeft,
    CarSeen,
    Ignoring,
    Leaving,
    ReadIgnored,
    SeenLate,
    Step,
)
from gate_bridge.agent.site.car_watch import CarWatch, LoopWatch
from gate_bridge.drivers.port import CameraRead, CarState, Heading

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def seen(
    plate: str | None,
    at_s: float,
    *,
    confidence: float = 0.95,
    heading: Heading = Heading.UNKNOWN,
    state: CarState = CarState.NEW,
    car_id: str | None = None,
    read_id: str | None = None,
    is_late: bool = False,
) -> Sighting:
    read = CameraRead(
        plate=plate,
        confidence=confidence,
        captured_at=NOON + timedelta(seconds=at_s),
        heading=heading,
        state=state,
        car_id=car_id,
        read_id=read_id,
    )
    return Sighting(device="camera", read=read, seen_s=at_s, is_late=is_late)


def told(steps: list[Step]) -> list[str]:
    """Steps in short words."""
    words: list[str] = []
    for step in steps:
        match step:
            case CarCame():
                words.append("came")
            case CarLeft(why):
                words.append(f"left {why}")
            case CarSeen(sighting):
                words.append(f"seen {sighting.plate}")
            case SeenLate(sighting):
                words.append(f"late {sighting.plate}")
            case ReadIgnored(_, why):
                words.append(f"ignored {why}")
    return words


def sight(watch: CarWatch, sighting: Sighting) -> list[str]:
    return told(watch.sight(sighting, sighting.seen_s))


def test_a_read_of_the_car_before_the_last_one_is_not_the_next_ones() -> None:
    for is_plate_known in (False, True):
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        if is_plate_known:
            assert sight(watch, seen("B1", 1, read_id="1")) == ["seen B1"]
        watch.loop(is_on=False, now_s=3)
        watch.loop(is_on=True, now_s=5)
        assert sight(watch, seen("C777", 5.1)) == ["seen C777"]
        watch.loop(is_on=False, now_s=5.2)
        # Taken when the first one stood there; it comes when two have left.
        watch.sight(seen("B1", 2.9, read_id="2"), 7)
        assert told(watch.loop(is_on=True, now_s=7.7)) == []


def test_without_a_loop_a_read_of_the_car_before_the_last_one_begins_no_car() -> None:
    watch = CameraWatch()
    assert sight(watch, seen("B1", 1, read_id="1")) == ["came", "seen B1"]
    watch.raised(2)
    assert told(watch.passed(6)) == ["left passed"]
    assert sight(watch, seen("C777", 8, read_id="2")) == ["came", "seen C777"]
    watch.raised(9)
    assert told(watch.passed(13)) == ["left passed"]
    # Taken when the first one was there; it comes when two have left.
    assert told(watch.sight(seen("B1", 5.5, read_id="3"), 14.5)) == ["ignored left_already"]
    assert watch.had(seen("B1", 5.5))
    # Neither when the first one drove away without having been let in.
    assert sight(watch, seen("D1", 15, read_id="4")) == ["came", "seen D1"]
    away = seen("D1", 16, read_id="5", heading=Heading.AWAY)
    assert sight(watch, away) == ["seen D1", "left away"]
    assert sight(watch, seen("E555", 17, read_id="6")) == ["came", "seen E555"]
    watch.raised(18)
    assert told(watch.passed(22)) == ["left passed"]
    assert told(watch.sight(seen("D1", 15.5, read_id="7"), 23.5)) == ["ignored left_already"]
    assert told(watch.tick(24)) == []


def test_without_a_loop_a_car_that_stood_back_for_another_is_the_next_one() -> None:
    watch = CameraWatch()
    assert sight(watch, seen("AAA111", 0, confidence=0.7)) == ["came", "seen AAA111"]
    better = seen("BBB222", 1, confidence=0.95)
    assert sight(watch, better) == ["left better_read", "came", "seen BBB222"]
    watch.raised(2)
    assert told(watch.passed(6)) == ["left passed"]
    assert sight(watch, seen("AAA111", 8, confidence=0.7)) == ["came", "seen AAA111"]


class TestWithLoop:
    def test_a_read_shortly_before_the_loop_counts_and_an_older_one_does_not(self) -> None:
        watch = LoopWatch()
        assert sight(watch, seen("B1", 0)) == ["ignored waits"]
        assert sight(watch, seen("B777", 5)) == ["ignored waits"]
        assert told(watch.loop(is_on=True, now_s=6.5)) == ["seen B777"]

    def test_a_read_on_the_loop_counts_at_once_and_a_repeated_one_says_nothing(self) -> None:
        watch = LoopWatch()
        assert told(watch.loop(is_on=True, now_s=0)) == []
        assert sight(watch, seen("B777", 1, read_id="r1")) == ["seen B777"]
        assert sight(watch, seen("B777", 1, read_id="r1")) == ["ignored repeated"]
        assert sight(watch, seen("B777", 3, confidence=0.9)) == ["ignored repeated"]
        assert sight(watch, seen("B777", 4, confidence=0.99)) == ["seen B777"]

    def test_three_readings_of_one_car_are_one_car(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        assert sight(watch, seen("BAB123", 1, confidence=0.7)) == ["seen BAB123"]
        assert sight(watch, seen("BAB12B", 2, confidence=0.6)) == ["ignored repeated"]
        assert sight(watch, seen("BAB128", 3, confidence=0.8)) == ["seen BAB128"]

    def test_of_three_plates_in_six_seconds_the_one_that_drives_here_is_the_car(self) -> None:
        watch = LoopWatch()
        sight(watch, seen("AAA111", 0, confidence=0.99))
        sight(watch, seen("BBB222", 2, heading=Heading.TOWARDS, confidence=0.92))
        sight(watch, seen("CCC333", 4, heading=Heading.AWAY, confidence=0.99))
        assert told(watch.loop(is_on=True, now_s=5)) == ["seen BBB222"]
        assert sight(watch, seen("AAA111", 5.5, confidence=0.99)) == ["ignored waits"]

    def test_a_correction_of_the_tracked_car_is_a_read_of_it_whatever_its_plate(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        sight(watch, seen("AAA111", 1, car_id="7"))
        updated = seen("XYZ987", 2, car_id="7", state=CarState.UPDATED, confidence=0.9)
        assert sight(watch, updated) == ["seen XYZ987"]
        assert sight(watch, seen("QQQ444", 2.5, car_id="8")) == ["ignored waits"]

    def test_the_tracked_car_that_turns_round_is_reported_and_another_one_is_not(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        sight(watch, seen("AAA111", 1, car_id="7"))
        away = seen("AAA111", 2, car_id="7", state=CarState.UPDATED, heading=Heading.AWAY)
        assert sight(watch, away) == ["seen AAA111"]
        assert sight(watch, seen("BBB222", 3, car_id="8", heading=Heading.AWAY)) == ["ignored away"]

    def test_a_car_that_turns_round_under_the_same_plate_is_reported_each_time(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        assert sight(watch, seen("AAA111", 1, heading=Heading.TOWARDS)) == ["seen AAA111"]
        back = seen("AAA111", 2, heading=Heading.AWAY, confidence=0.8)
        assert sight(watch, back) == ["seen AAA111"]
        assert sight(watch, seen("AAA111", 3, confidence=0.8)) == ["ignored repeated"]
        again = seen("AAA111", 4, heading=Heading.TOWARDS, confidence=0.8)
        assert sight(watch, again) == ["seen AAA111"]

    def test_the_car_that_drove_through_is_not_taken_for_the_next_one(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        sight(watch, seen("AAA111", 1))
        watch.raised(2)
        watch.loop(is_on=False, now_s=5)
        assert sight(watch, seen("AAA111", 5.5)) == ["ignored left_already"]
        assert told(watch.loop(is_on=True, now_s=6)) == []
        assert sight(watch, seen("AAA111", 7, heading=Heading.TOWARDS)) == ["ignored left_already"]
        assert sight(watch, seen("BBB222", 8)) == ["seen BBB222"]

    def test_a_read_of_a_car_that_backed_out_is_not_given_to_the_next(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        sight(watch, seen("AAA111", 1))
        watch.loop(is_on=False, now_s=2)
        assert told(watch.loop(is_on=True, now_s=3)) == []
        assert sight(watch, seen("AAA111", 4)) == ["ignored left_already"]
        assert sight(watch, seen("AAA111", 5, heading=Heading.TOWARDS)) == ["seen AAA111"]

    def test_a_parked_car_is_not_the_car_on_the_loop(self) -> None:
        watch = LoopWatch()
        for index in range(4):
            begin_s = index * 30.0
            sight(watch, seen("PARKED1", begin_s))
            watch.loop(is_on=True, now_s=begin_s + 10)
            assert sight(watch, seen(f"MOVE{index}00", begin_s + 11)) == [f"seen MOVE{index}00"]
            watch.raised(begin_s + 12)
            watch.loop(is_on=False, now_s=begin_s + 15)
        assert told(watch.loop(is_on=True, now_s=121)) == []
        assert sight(watch, seen("PARKED1", 122)) == ["ignored parked"]

    def test_cars_that_back_out_make_nobody_a_parked_car(self) -> None:
        watch = LoopWatch()
        for index in range(4):
            begin_s = index * 30.0
            sight(watch, seen("QUEUES1", begin_s))
            watch.loop(is_on=True, now_s=begin_s + 10)
            sight(watch, seen(f"BACK{index}00", begin_s + 11))
            watch.loop(is_on=False, now_s=begin_s + 15)
        watch.loop(is_on=True, now_s=121)
        assert sight(watch, seen("QUEUES1", 122)) == ["seen QUEUES1"]

    def test_once_the_arm_rose_or_the_burst_is_over_another_plate_is_the_next_cars(self) -> None:
        raised, slow = LoopWatch(), LoopWatch()
        for watch in (raised, slow):
            watch.loop(is_on=True, now_s=0)
            sight(watch, seen("AAA111", 1, confidence=0.6))
        raised.raised(2)
        better = seen("BBB222", 3, heading=Heading.TOWARDS)
        assert sight(raised, better) == ["ignored waits"]
        assert sight(slow, seen("CCC333", 7.5, heading=Heading.TOWARDS)) == ["ignored waits"]
        assert sight(slow, better) == ["seen BBB222"]

    def test_the_second_car_of_a_queue_gets_its_read_when_it_reaches_the_loop(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        sight(watch, seen("AAA111", 1))
        assert sight(watch, seen("BBB222", 4)) == ["ignored waits"]
        watch.raised(5)
        watch.loop(is_on=False, now_s=7)
        assert told(watch.loop(is_on=True, now_s=9)) == ["seen BBB222"]

    def test_late_reads_are_recorded_only(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        assert sight(watch, seen("AAA111", 1, is_late=True)) == ["late AAA111"]
        assert sight(watch, seen("AAA111", 1, is_late=True)) == ["ignored repeated"]
        assert told(watch.loop(is_on=True, now_s=2)) == []

    def test_a_badge_and_a_car_without_a_plate_show_pictures_and_no_plate(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        assert sight(watch, seen("AUDI", 1)) == ["seen None"]
        assert sight(watch, seen(None, 2)) == ["seen None"]
        assert sight(watch, seen("IN777", 3)) == ["seen IN777"]

    def test_a_car_presented_anew_is_reported_with_its_read(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=0)
        sight(watch, seen("AAA111", 1))
        assert told(watch.loop(is_on=True, now_s=400)) == ["seen AAA111"]

    def test_a_slow_read_of_a_car_that_has_left_is_not_the_next_cars(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=10.0)
        watch.loop(is_on=False, now_s=13.0)
        watch.loop(is_on=True, now_s=14.0)
        assert told(watch.sight(seen("A111", 12.0), 15.0)) == ["late A111"]
        assert told(watch.sight(seen("B222", 14.5), 15.5)) == ["seen B222"]

    def test_nor_is_it_where_it_comes_before_the_next_car(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=10.0)
        watch.loop(is_on=False, now_s=13.0)
        assert told(watch.sight(seen("A111", 12.0), 13.5)) == ["ignored waits"]
        assert watch.loop(is_on=True, now_s=14.0) == []

    def test_after_a_standstill_two_cars_seem_to_change_places_at_once(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=10.0)
        watch.loop(is_on=False, now_s=13.0)
        watch.loop(is_on=True, now_s=13.0)
        assert told(watch.sight(seen("A111", 12.0), 13.1)) == ["late A111"]

    def test_the_car_behind_that_was_read_while_the_first_stood_there_is_the_next_one(self) -> None:
        watch = LoopWatch()
        watch.loop(is_on=True, now_s=10.0)
        assert sight(watch, seen("A111", 11.0)) == ["seen A111"]
        watch.raised(11.5)
        watch.loop(is_on=False, now_s=13.0)
        assert told(watch.sight(seen("B222", 12.5), 13.5)) == ["ignored waits"]
        assert told(watch.loop(is_on=True, now_s=14.0)) == ["seen B222"]


class TestWithCameraOnly:
    def test_a_read_begins_a_stay_and_the_passage_ends_it(self) -> None:
        watch = CameraWatch()
        assert sight(watch, seen("AAA111", 0)) == ["came", "seen AAA111"]
        watch.raised(1)
        assert told(watch.passed(4)) == ["left passed"]
        assert sight(watch, seen("AAA111", 5)) == ["ignored left_already"]

    def test_the_camera_losing_sight_ends_it(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0, car_id="1"))
        lost = seen("AAA111", 3, car_id="1", state=CarState.LOST)
        assert sight(watch, lost) == ["ignored repeated", "left lost"]
        assert sight(watch, lost) == ["ignored repeated"]

    def test_lost_before_new_begins_nothing(self) -> None:
        watch = CameraWatch()
        lost = seen("AAA111", 3, car_id="1", state=CarState.LOST)
        assert sight(watch, lost) == ["ignored left_already"]
        assert sight(watch, seen("AAA111", 0, car_id="1")) == ["ignored left_already"]

    def test_an_update_that_shows_it_driving_away_ends_it(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0, car_id="1"))
        away = seen("AAA111", 1, car_id="1", state=CarState.UPDATED, heading=Heading.AWAY)
        assert sight(watch, away) == ["seen AAA111", "left away"]

    def test_a_car_that_drives_away_begins_nothing(self) -> None:
        watch = CameraWatch()
        assert sight(watch, seen("AAA111", 0, heading=Heading.AWAY)) == ["ignored away"]
        assert told(watch.tick(1)) == []

    def test_a_late_read_begins_nothing(self) -> None:
        watch = CameraWatch()
        assert sight(watch, seen("AAA111", 0, is_late=True)) == ["late AAA111"]
        assert told(watch.tick(1)) == []

    def test_the_next_car_waits_until_the_gate_may_open_again(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0))
        watch.raised(1)
        assert sight(watch, seen("BBB222", 4)) == ["ignored waits"]
        assert told(watch.passed(4.5)) == ["left passed"]
        assert told(watch.tick(5)) == []
        assert told(watch.tick(6)) == ["came", "seen BBB222"]

    def test_the_next_car_follows_where_nothing_tells_of_a_passage(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0))
        sight(watch, seen("BEFORE1", 0.5))
        watch.raised(1)
        sight(watch, seen("BBB222", 4))
        assert told(watch.tick(5.9)) == []
        assert told(watch.tick(6)) == ["left next_car", "came", "seen BBB222"]

    def test_a_car_that_comes_right_after_one_that_passed_waits_as_well(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0))
        watch.raised(1)
        watch.passed(3)
        assert sight(watch, seen("BBB222", 4)) == ["ignored waits"]
        assert told(watch.tick(6)) == ["came", "seen BBB222"]

    def test_an_arm_that_closes_for_another_reason_ends_nobodys_stay(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0))
        assert told(watch.passed(1)) == []
        assert sight(watch, seen("AAA111", 2)) == ["ignored repeated"]

    def test_a_car_that_never_leaves_is_parked_in_the_end(self) -> None:
        watch = CameraWatch()
        for at_s in range(0, 900, 100):
            sight(watch, seen("AAA111", at_s))
        assert told(watch.tick(899)) == []
        assert told(watch.tick(900)) == ["left too_long"]
        assert sight(watch, seen("AAA111", 950)) == ["ignored parked"]

    def test_another_plate_after_the_arm_rose_is_the_next_car(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0))
        watch.raised(1)
        assert sight(watch, seen("BBB222", 8)) == ["left next_car", "came", "seen BBB222"]

    def test_another_plate_before_the_arm_rose_waits(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0))
        assert sight(watch, seen("BBB222", 1)) == ["ignored waits"]

    def test_another_plate_later_waits_however_good_it_is(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0, confidence=0.6))
        assert sight(watch, seen("BBB222", 7, heading=Heading.TOWARDS)) == ["ignored waits"]

    def test_another_visit_is_the_cameras_word_unless_the_car_drove_through(self) -> None:
        for is_raised, words in (
            (True, ["ignored left_already"]),
            (False, ["came", "seen AAA111"]),
        ):
            watch = CameraWatch()
            sight(watch, seen("AAA111", 0, car_id="1"))
            if is_raised:
                watch.raised(1)
            sight(watch, seen("AAA111", 2, car_id="1", state=CarState.LOST))
            assert sight(watch, seen("AAA111", 10, car_id="2")) == words

    def test_of_three_plates_in_six_seconds_one_car_remains(self) -> None:
        watch = CameraWatch()
        assert sight(watch, seen("AAA111", 0)) == ["came", "seen AAA111"]
        better = seen("BBB222", 1, heading=Heading.TOWARDS)
        assert sight(watch, better) == ["left better_read", "came", "seen BBB222"]
        assert sight(watch, seen("CCC333", 2, confidence=0.99)) == ["ignored waits"]
        assert sight(watch, seen("AAA111", 3, confidence=0.99)) == ["ignored left_already"]

    def test_a_car_without_feedback_is_taken_to_have_passed_after_a_bounded_time(self) -> None:
        watch = CameraWatch()
        sight(watch, seen("AAA111", 0))
        watch.raised(1)
        assert told(watch.tick(20.9)) == []
        assert told(watch.tick(21)) == ["left passed"]

    def test_a_car_that_waits_is_there_as_long_as_it_is_read(self) -> None:
        watch = CameraWatch(stay_s=120)
        sight(watch, seen("AAA111", 0))
        assert sight(watch, seen("AAA111", 100)) == ["ignored repeated"]
        assert told(watch.tick(219)) == []
        assert told(watch.tick(220)) == ["left not_seen"]

    def test_a_parked_car_makes_room_for_one_that_moves_and_stays_out(self) -> None:
        watch = CameraWatch()
        for at_s in (0, 10, 20):
            sight(watch, seen("PARKED1", at_s))
        moving = seen("MOVE111", 21, heading=Heading.TOWARDS)
        assert sight(watch, moving) == ["left parked", "came", "seen MOVE111"]
        watch.raised(22)
        assert told(watch.passed(25)) == ["left passed"]
        assert sight(watch, seen("PARKED1", 60)) == ["ignored parked"]
        assert sight(watch, seen("PARKED1", 120)) == ["ignored parked"]

    def test_a_plate_that_is_read_after_a_car_without_one_is_its_plate(self) -> None:
        watch = CameraWatch()
        assert sight(watch, seen(None, 0)) == ["came", "seen None"]
        assert sight(watch, seen("AAA111", 9)) == ["seen AAA111"]


PLATES = ("AAA111", "BBB222", "CCC333", None)
sightings = st.builds(
    seen,
    st.sampled_from(PLATES),
    st.integers(0, 200).map(float),
    confidence=st.sampled_from((0.5, 0.89, 0.95)),
    heading=st.sampled_from(Heading),
    state=st.sampled_from(CarState),
    car_id=st.sampled_from((None, "1", "2")),
    is_late=st.booleans(),
)


def numbered(items: list[Sighting]) -> list[Sighting]:
    """Every read under an id of its own, as devices number them."""
    return [
        seen(
            item.read.plate,
            item.seen_s,
            confidence=item.read.confidence,
            heading=item.read.heading,
            state=item.read.state,
            car_id=item.read.car_id,
            read_id=str(index),
            is_late=item.is_late,
        )
        for index, item in enumerate(items)
    ]


def live(steps: list[Step]) -> list[Step]:
    return [step for step in steps if not isinstance(step, ReadIgnored)]


class TestWhateverComes:
    @settings(max_examples=60)
    @given(st.lists(sightings, max_size=30), st.sets(st.integers(0, 30)))
    def test_cars_come_and_leave_in_turn_and_reads_belong_to_one_that_is_there(
        self, items: list[Sighting], raised: set[int]
    ) -> None:
        watch = CameraWatch()
        is_there = False
        for index, item in enumerate(sorted(numbered(items), key=lambda one: one.seen_s)):
            steps = watch.tick(item.seen_s) + watch.sight(item, item.seen_s)
            for step in steps:
                match step:
                    case CarCame():
                        assert not is_there
                        is_there = True
                    case CarLeft():
                        assert is_there
                        is_there = False
                    case CarSeen(sighting):
                        assert is_there
                        assert not sighting.is_late
                    case _:
                        pass
            if index in raised and is_there:
                watch.raised(item.seen_s)

    @settings(max_examples=60)
    @given(st.lists(sightings, max_size=20), st.data())
    def test_a_read_that_comes_again_changes_nothing(
        self, items: list[Sighting], data: st.DataObject
    ) -> None:
        ordered = sorted(numbered(items), key=lambda one: one.seen_s)
        once, twice = CameraWatch(), CameraWatch()
        loop_once, loop_twice = LoopWatch(), LoopWatch()
        for watch in (loop_once, loop_twice):
            watch.loop(is_on=True, now_s=0)
        for index, item in enumerate(ordered):
            again = data.draw(st.sampled_from(ordered[: index + 1]))
            for one, other in ((once, twice), (loop_once, loop_twice)):
                expected = live(one.sight(item, item.seen_s))
                assert live(other.sight(item, item.seen_s)) == expected
                assert live(other.sight(again, item.seen_s)) == []

    @given(st.lists(sightings.filter(lambda item: item.is_late), max_size=10))
    def test_what_is_late_begins_nothing_in_any_order(self, items: list[Sighting]) -> None:
        camera, loop = CameraWatch(), LoopWatch()
        for item in numbered(items):
            assert camera.sight(item, 300) == loop.sight(item, 300) == [SeenLate(item)]
        assert live(camera.tick(301)) == []
        assert live(loop.loop(is_on=True, now_s=301)) == []

    @given(st.permutations([0.5, 0.7, 0.95]))
    def test_the_best_of_a_burst_is_reported_in_every_order(self, order: list[float]) -> None:
        for watch, first in ((CameraWatch(), ["came"]), (LoopWatch(), [])):
            watch.loop(is_on=isinstance(watch, LoopWatch), now_s=0)
            steps = [
                step
                for at_s, confidence in enumerate(order)
                for step in watch.sight(seen("AAA111", at_s, confidence=confidence), at_s)
            ]
            assert [word for word in told(steps) if word == "came"] == first
            reported = [step for step in steps if isinstance(step, CarSeen)]
            assert reported[-1].sighting.read.confidence == 0.95


def test_reasons_have_words() -> None:
    assert {Ignoring.REPEATED, Leaving.LOST} == {"repeated", "lost"}
