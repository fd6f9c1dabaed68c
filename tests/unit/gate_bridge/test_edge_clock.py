"""The bridge's time while there is no bridge, and after a restart."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gate_bridge.agent.offline.edge_clock import Anchor, EdgeClock, EdgeTime
from gate_bridge.agent.server_time import ServerTime
from tests.factories.policies import ISSUED


class Wall:
    """A wall clock that a person may set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class Machine:
    """A machine with its two clocks; `passes` lets time go by for both."""

    def __init__(self, wall: datetime, steady_s: float = 1000.0, boot_id: str = "boot-1") -> None:
        self.wall = Wall(wall)
        self.steady_s = steady_s
        self.server_time = ServerTime(lambda: self.steady_s)
        self.clock = EdgeClock(
            self.wall, self.server_time, steady=lambda: self.steady_s, boot_id=boot_id
        )

    def passes(self, period: timedelta) -> None:
        self.wall.at += period
        self.steady_s += period.total_seconds()

    def hears(self, bridge_time: datetime) -> Anchor:
        """Let a heartbeat be answered, 100 ms after it was sent."""
        self.server_time.sample(self.steady_s - 0.1, self.steady_s, bridge_time)
        anchor = self.clock.take_anchor()
        assert anchor is not None
        return anchor


HOUR = timedelta(hours=1)
TEN_MINUTES = timedelta(minutes=10)


@pytest.mark.parametrize("set_by", [TEN_MINUTES, -TEN_MINUTES, timedelta(days=-400)])
def test_the_wall_clock_may_be_set_while_the_machine_runs(set_by: timedelta) -> None:
    machine = Machine(ISSUED)
    machine.hears(ISSUED)
    machine.passes(HOUR)
    machine.wall.at += set_by
    now = machine.clock.read()
    assert now.is_usable
    assert abs(now.at - (ISSUED + HOUR)) < timedelta(seconds=1)
    assert now.uncertainty_s == pytest.approx(0.05 + 3600 * 200e-6)


@pytest.mark.parametrize("offset", [TEN_MINUTES, -TEN_MINUTES])
def test_a_wall_clock_that_is_wrong_all_the_time_does_no_harm(offset: timedelta) -> None:
    machine = Machine(ISSUED + offset)
    machine.hears(ISSUED)
    machine.passes(HOUR)
    assert abs(machine.clock.now() - (ISSUED + HOUR)) < timedelta(seconds=1)


def test_a_restart_of_the_process_loses_nothing() -> None:
    before = Machine(ISSUED)
    anchor = before.hears(ISSUED)
    after = Machine(ISSUED + TEN_MINUTES + HOUR, steady_s=1000.0 + 3600)
    after.clock.anchor = anchor
    now = after.clock.read()
    assert now.is_usable
    assert abs(now.at - (ISSUED + HOUR)) < timedelta(seconds=1)


def rebooted(wall: datetime, steady_s: float = 20.0) -> EdgeTime:
    anchor = Machine(ISSUED).hears(ISSUED)
    after = Machine(wall, steady_s=steady_s, boot_id="boot-2")
    after.clock.anchor = anchor
    return after.clock.read()


def test_after_a_reboot_the_wall_clock_counts_and_nobody_says_how_right_it_is() -> None:
    now = rebooted(ISSUED + HOUR)
    assert (now.is_usable, now.uncertainty_s) == (True, None)
    assert abs(now.at - (ISSUED + HOUR)) < timedelta(seconds=1)


def test_a_steady_clock_of_another_start_says_nothing() -> None:
    now = rebooted(ISSUED + 3 * HOUR, steady_s=1000.0 + 3600)
    assert now.uncertainty_s is None
    assert abs(now.at - (ISSUED + 3 * HOUR)) < timedelta(seconds=1)


@pytest.mark.parametrize("wall", [ISSUED - TEN_MINUTES, ISSUED + timedelta(hours=73)])
def test_after_a_reboot_a_clock_that_was_set_back_or_far_ahead_is_not_believed(
    wall: datetime,
) -> None:
    now = rebooted(wall)
    assert (now.is_usable, now.uncertainty_s) == (False, None)
    assert now.at >= ISSUED


def test_a_steady_clock_that_began_anew_under_the_same_name_is_not_believed() -> None:
    anchor = Machine(ISSUED).hears(ISSUED)
    after = Machine(ISSUED - TEN_MINUTES, steady_s=20.0)
    after.clock.anchor = replace(anchor)
    assert not after.clock.read().is_usable


def test_without_ever_a_bridge_there_is_only_the_wall_clock() -> None:
    assert Machine(ISSUED).clock.read() == EdgeTime(ISSUED, None, is_usable=False)


def test_a_heartbeat_is_better_than_what_was_kept() -> None:
    machine = Machine(ISSUED)
    machine.hears(ISSUED)
    machine.passes(HOUR)
    machine.server_time.forget()
    machine.hears(ISSUED + HOUR + timedelta(seconds=30))
    assert abs(machine.clock.now() - ISSUED - HOUR - timedelta(seconds=30)) < timedelta(seconds=1)
