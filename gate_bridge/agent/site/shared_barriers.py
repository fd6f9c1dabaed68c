"""Lanes of a site file that use one barrier between them, one in each direction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from gate_bridge.agent.machines.contacts import ContactUse
from gate_bridge.agent.machines.shared_arm import mirrored
from gate_bridge.agent.site.barriers import NONE, REPLY
from gate_bridge.agent.site.settings import LaneSettings, LoopKind
from parking.kit.errors import InvalidInputError

# A reply opens for the one car whose camera asked, and waits for nobody.
_NOT_SHARED: Final = frozenset({NONE, REPLY})


def share_barriers(lanes: Sequence[LaneSettings]) -> list[LaneSettings]:
    """Return the lanes, each with the barrier and the contacts that it uses.

    Raises:
        InvalidInputError: naming the lane that cannot share.
    """
    by_name = {lane.name: lane for lane in lanes}
    shared = [lane.shares for lane in lanes if lane.shares is not None]
    found: list[LaneSettings] = []
    for index, lane in enumerate(lanes, start=1):
        if lane.shares is None:
            found.append(lane)
            continue
        first = by_name.get(lane.shares)
        if first is None or first.shares is not None or shared.count(lane.shares) > 1:
            own = ", ".join(one.name for one in lanes if one.shares is None) or "there is none"
            expected = f"a lane with a barrier of its own that no other lane shares: {own}"
            raise InvalidInputError(f"lane[{index}].shares", expected)
        _check(first, lane, index)
        found.append(replace(lane, barrier=first.barrier, wiring=mirrored(first.wiring)))
    return found


def are_sharing(lanes: Mapping[str, LaneSettings], one: str, other: str) -> bool:
    """Return whether two lanes use one barrier."""
    pairs = {(lane.name, lane.shares) for lane in lanes.values()}
    return (one, other) in pairs or (other, one) in pairs


def _check(first: LaneSettings, lane: LaneSettings, index: int) -> None:
    where = f"lane[{index}]"
    if first.barrier.driver in _NOT_SHARED:
        expected = f"a lane whose barrier is none of {', '.join(sorted(_NOT_SHARED))}"
        raise InvalidInputError(f"{where}.shares", expected)
    if lane.loop is not first.loop:
        raise InvalidInputError(f"{where}.loop", f"{first.loop.value}, as {first.name} has it")
    if first.contacts:
        expected = f"contacts of the barrier itself at {first.name}, because they serve two lanes"
        raise InvalidInputError(f"{where}.shares", expected)
    has_exit = ContactUse.EXIT_LOOP in first.wiring.uses
    if has_exit is not (first.loop is LoopKind.CONTACT):
        expected = f"contacts.loop and contacts.exit_loop at {first.name}, or neither"
        raise InvalidInputError(f"{where}.shares", expected)
