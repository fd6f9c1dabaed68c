"""Looks whether lanes' policies still say what is true, for all lanes of a place at a time.

Most of what the policies of a place say is the same: one look for fifty lanes costs little more
than one for a single lane, and a look that each lane has of its own cost more than its cars.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from gate_bridge.lane import Spawn
from gate_bridge.port import LaneService
from gate_bridge.retry import call_once
from gate_bridge.wire.limits import WireLimits
from gate_bridge.wire.offline import PolicyAvailable
from parking.flows.lane_types import POLICY_LANES_MAX, Lane

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_S: Final = 0.1
# Between two places' policies, and between two lanes of one that are told, there are cars to let
# through: a new policy is opened for each agent that comes for it.
PLACE_PAUSE_S: Final = 0.1
LANE_PAUSE_S: Final = 0.02

Tell = Callable[[PolicyAvailable], Awaitable[object]]


@dataclass(eq=False, slots=True)
class _Member:
    """One connection of a lane.

    Attributes:
        is_new: Whether it was told nothing yet.
    """

    lane: Lane
    tell: Tell
    is_new: bool = True


@dataclass(slots=True)
class _Place:
    """The connected lanes of one place.

    Attributes:
        round_s: When all of them are looked at next, by the steady clock.
        news_s: When those are that came since; infinite where none did.
    """

    round_s: float
    news_s: float = float("inf")
    members: set[_Member] = field(default_factory=set[_Member])


class PolicyRounds:
    """Tells every connected lane soon, and then now and then, which version its policy has.

    At random moments: after a restart every lane comes back at once.

    Args:
        service: Knows the policies.
        wire: How soon, and how often.
        timeout_s: Of one look.
        spawn: Starts a task that the process owns.
        seconds: A steady clock.
    """

    def __init__(
        self,
        service: LaneService,
        wire: WireLimits,
        timeout_s: float,
        spawn: Spawn,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._wire = wire
        self._timeout_s = timeout_s
        self._spawn = spawn
        self._seconds = seconds
        self._places: dict[tuple[UUID, UUID], _Place] = {}

    @contextmanager
    def over(self, lane: Lane, tell: Tell) -> Generator[None]:
        """Tell a lane's connection for the length of a block."""
        key = (lane.operator_id, lane.place_id)
        member = _Member(lane, tell)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = _Place(self._after(self._wire.policy_every_s))
        place.members.add(member)
        place.news_s = min(place.news_s, self._after(self._wire.policy_first_s))
        try:
            yield
        finally:
            place.members.discard(member)
            if not place.members and self._places.get(key) is place:
                del self._places[key]

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Look at each place that is due, one after the other."""
        now_s = self._seconds()
        due = [place for place in self._places.values() if _due_s(place) <= now_s]
        for place in due:
            await self._attend(place)
            await asyncio.sleep(PLACE_PAUSE_S)

    async def _attend(self, place: _Place) -> None:
        is_round = place.round_s <= self._seconds()
        wanted = [member for member in place.members if is_round or member.is_new]
        place.news_s = float("inf")
        if is_round:
            place.round_s = self._after(self._wire.policy_every_s)
        for member in wanted:
            member.is_new = False
        for first in range(0, len(wanted), POLICY_LANES_MAX):
            some = wanted[first : first + POLICY_LANES_MAX]
            try:
                versions = await call_once(
                    lambda: self._service.refresh_policies(_lanes(some)),  # noqa: B023 - awaited here
                    self._timeout_s,
                )
            except Exception as error:  # noqa: BLE001 - the next round may succeed
                place_id = some[0].lane.place_id
                _log.warning("policies_failed", error=repr(error), place_id=str(place_id))
            else:
                self._spawn(self._tell(place, some, versions))

    async def _tell(
        self, place: _Place, members: list[_Member], versions: Mapping[UUID, int]
    ) -> None:
        for member in members:
            version = versions.get(member.lane.lane_id, 0)
            if version and member in place.members:
                self._spawn(_tell(member, version))
                await asyncio.sleep(LANE_PAUSE_S)

    def _after(self, longest_s: float) -> float:
        return self._seconds() + longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


async def _tell(member: _Member, version: int) -> None:
    try:
        await member.tell(PolicyAvailable(version=version))
    except Exception as error:  # noqa: BLE001 - it is told again with the next round
        lane_id = str(member.lane.lane_id)
        _log.info("policy_not_told", error=repr(error), lane_id=lane_id)


def _due_s(place: _Place) -> float:
    return min(place.round_s, place.news_s)


def _lanes(members: list[_Member]) -> list[Lane]:
    # One lane may have two connections for a moment.
    return list({member.lane.lane_id: member.lane for member in members}.values())
