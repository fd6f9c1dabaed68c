"""Lets cars through while no bridge is of use: once a car, written down before the arm rises.

No bridge is of use while none can be reached, and while the one that is connected commits nothing.

Order matters, as it does for orders of the bridge: the decision, its event, what it risks and
"about to pulse" are one transaction; then the relay is pulsed; then the result is written. A
process that was killed in between finds the decision, and does not pulse for it again: nobody
watched the loop meanwhile, and the car that stands there is presented and decided on anew. A
connection that comes back meanwhile finds the arm's turn taken: the order that it brings is
answered `already_open`. A pulse that has begun ends, whatever becomes of whoever asked for it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import orjson
import structlog

from gate_bridge.agent.barrier import ArmPosition, BarrierPort
from gate_bridge.agent.errors import BarrierError, JournalFullError, PulseUnknownError
from gate_bridge.agent.journal import CurrentCar, Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.lane_work import LaneWork
from gate_bridge.agent.offline.edge_clock import EdgeClock, EdgeTime
from gate_bridge.agent.offline.options import OfflineOptions
from gate_bridge.agent.offline.policy_keeper import PolicyKeeper
from gate_bridge.agent.offline.reachability import Reachability
from gate_bridge.agent.offline.rules import (
    Verdict,
    WaitingCar,
    decide,
    own_command_id,
)
from gate_bridge.agent.offline.store import Decided, OfflineStore
from gate_bridge.agent.reports import Reporter
from gate_bridge.agent.seen_car import CarRead, better_read
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.agent.stall import StallWatch
from gate_bridge.wire.actions import CommandStatus
from gate_bridge.wire.offline import CLOCK_UNCERTAINTY_MS_MAX, OfflineChoice, OfflineReason
from parking.kit.ids import new_id
from parking.offline.bundle import PolicyBundle, hash_plate
from parking.plates.normalise import fold_plate

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# From the pulse until the arm's own contact says that it moved.
RISING_S = 10.0
_LOOK_S = 0.1
_FULL_S = 2.0
_STAFF = frozenset({OfflineReason.ASK_STAFF, OfflineReason.CAP_REACHED, OfflineReason.UNPAID})


@dataclass(frozen=True, slots=True)
class OfflineParts:
    """The parts of one lane, each one of a kind."""

    journal: Journal
    store: OfflineStore
    keeper: PolicyKeeper
    state: LaneState
    barrier: BarrierPort
    clock: EdgeClock
    bridge: Reachability
    work: LaneWork = field(default_factory=LaneWork)


class OfflineDecider:
    """The gate's own decisions on one lane.

    Args:
        stall: Knows whether this process stood still: a bridge's answer may wait to be read then.
    """

    def __init__(
        self,
        parts: OfflineParts,
        report: Reporter,
        options: OfflineOptions,
        steady: Callable[[], float] = steady_seconds,
        stall: StallWatch | None = None,
    ) -> None:
        self._journal = parts.journal
        self._store = parts.store
        self._keeper = parts.keeper
        self._state = parts.state
        self._barrier = parts.barrier
        self._clock = parts.clock
        self._bridge = parts.bridge
        self._work = parts.work
        self._report = report
        self._options = options
        self._steady = steady
        self._stall = stall
        self._settled: UUID | None = None
        self._came: tuple[UUID, float] | None = None
        self._committed: UUID | None = None
        self._seen: tuple[UUID, float] | None = None

    async def run(self) -> None:
        """Look after every car until cancelled."""
        while True:
            await self._state.occupied.wait()
            try:
                await self.look()
            except JournalFullError as error:
                # What cannot be written down must not happen: the arm stays where it is.
                _log.warning("offline_not_written", error=str(error))
                await asyncio.sleep(_FULL_S)
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Decide on the car that stands there, if it is time to."""
        car = self._state.car
        if car is None or self._settled == car.presentation_id or self._keeper.policy is None:
            return
        if not await self._is_left_alone(car) or self._state.opened_for_current():
            return
        if await self._store.decision_of(car.presentation_id) is not None:
            await self._work.end(self._go_on(car))
            return
        read = await self._read(car)
        if read is None and not self._has_waited(car):
            return
        await self._work.end(self._decide(car, read))

    async def _is_left_alone(self, car: CurrentCar) -> bool:
        """Return whether no bridge can decide on the car, and none could for a while."""
        if self._came is None or self._came[0] != car.presentation_id:
            self._came = (car.presentation_id, self._steady())
        if self._stall is not None and self._stall.is_settling():
            return False
        if self._state.may_be_other() or self._work.is_closing:
            return False
        away_s = self._options.away_s
        if self._bridge.is_lost_for(away_s):
            return True
        # Connected, and it commits other things: a long journal or a slow database comes first.
        if self._steady() - self._came[1] < away_s or not self._bridge.is_found_for(away_s):
            return False
        return await self._is_untold(car)

    async def _is_untold(self, car: CurrentCar) -> bool:
        if self._committed == car.presentation_id:
            return False
        if await self._journal.is_queued(car.event_id):
            return True
        self._committed = car.presentation_id
        return False

    def _has_waited(self, car: CurrentCar) -> bool:
        if self._seen is None or self._seen[0] != car.presentation_id:
            self._seen = (car.presentation_id, self._steady())
        return self._steady() - self._seen[1] >= self._options.read_s

    async def _read(self, car: CurrentCar) -> CarRead | None:
        """Return the car's read if it is sure enough, also one of before a restart."""
        best = self._state.best_read
        if best is None:
            for body in await self._store.observations(car.presentation_id):
                best = better_read(best, _kept_read(body))
        if best is None or best.confidence < self._options.confidence_min:
            return None
        return best

    async def _decide(self, car: CurrentCar, read: CarRead | None) -> None:
        async with self._state.pulsing:
            await self._decide_in_turn(car, read)

    async def _decide_in_turn(self, car: CurrentCar, read: CarRead | None) -> None:
        # Again, after the wait for the turn: the bridge may be back, and the car away.
        if not await self._is_left_alone(car) or self._state.car is not car:
            return
        policy, now = self._keeper.policy, self._clock.read()
        if policy is None:
            return
        waiting = await self._waiting(policy, read, now)
        verdict = decide(policy, waiting, await self._store.spent())
        decided = _decided(car, read, policy, verdict, waiting.plate, now)
        if not await self._store.decide(decided):
            self._settled = car.presentation_id
            return
        self._state.changed.set()
        _log.info("offline_decision", is_open=verdict.is_open, reason=verdict.reason.value)
        self._tell(car, policy, verdict, read)
        if decided.command_id is None:
            self._settled = car.presentation_id
        else:
            # Nothing more is asked of the bridge for this car.
            self._state.answered(car.presentation_id)
            await self._pulse(car, decided.command_id)

    async def _waiting(
        self, policy: PolicyBundle, read: CarRead | None, now: EdgeTime
    ) -> WaitingCar:
        plate = None if read is None else fold_plate(read.plate)
        was_let_out = False
        if plate is not None:
            hashed = hash_plate(policy.hash_key, plate)
            was_let_out = await self._store.was_let_out(hashed, policy.version)
        return WaitingCar(plate, now.at if now.is_usable else None, was_let_out)

    async def _go_on(self, car: CurrentCar) -> None:
        """Settle what was decided before, without another pulse.

        Whether the relay was pulsed then only the arm can tell. It may be slow to rise, so that
        an arm that is down is no proof that it was not.
        """
        async with self._state.pulsing:
            # Now, after the wait for the turn: an order of the bridge may have been before.
            known = await self._store.decision_of(car.presentation_id)
            if known is None or self._state.car is not car:
                return
            is_raised = self._barrier.position() is not ArmPosition.DOWN
            if is_raised and known.command_id is not None and known.status is None:
                await self._finish(car, known.command_id, CommandStatus.ACCEPTED, None)
            self._settled = car.presentation_id

    async def _pulse(self, car: CurrentCar, command_id: UUID) -> None:
        self._settled = car.presentation_id
        if self._state.car is not car or not self._barrier.loop_occupied():
            await self._finish(car, command_id, CommandStatus.REJECTED, "no_presentation")
            return
        now_s = self._steady()
        self._state.raising(car.presentation_id, command_id)
        try:
            await self._barrier.pulse(command_id, now_s + self._options.pulse_s)
        except PulseUnknownError as error:
            _log.warning("pulse_unknown", error=str(error))
        except BarrierError as error:
            _log.warning("barrier_failed", error=str(error))
            self._state.not_raised(command_id)
            await self._finish(car, command_id, CommandStatus.REJECTED, "barrier_failed")
        else:
            self._state.opened_by_itself(car.presentation_id, steady_seconds() + RISING_S)
            await self._finish(car, command_id, CommandStatus.ACCEPTED, None)

    async def _finish(
        self, car: CurrentCar, command_id: UUID, status: CommandStatus, reason: str | None
    ) -> None:
        self._settled = car.presentation_id
        await self._journal.finish_command(command_id, car.presentation_id, status, reason)

    def _tell(
        self,
        car: CurrentCar,
        policy: PolicyBundle,
        verdict: Verdict,
        read: CarRead | None,
    ) -> None:
        said = "open" if verdict.is_open else "staff" if verdict.reason in _STAFF else "closed"
        plate = [] if read is None else [read.plate]
        self._report(
            {
                "event": "offline",
                "presentation_id": str(car.presentation_id),
                "choice": _choice(verdict).value,
                "reason": verdict.reason.value,
            }
        )
        self._report(
            {
                "event": "display",
                "presentation_id": str(car.presentation_id),
                "lines": [*plate, *policy.texts.get(said, ())],
                "qr": None,
            }
        )


def _decided(
    car: CurrentCar,
    read: CarRead | None,
    policy: PolicyBundle,
    verdict: Verdict,
    plate: str | None,
    now: EdgeTime,
) -> Decided:
    command_id = own_command_id(car.presentation_id) if verdict.is_open else None
    event_id = new_id(now.at)
    hashed = None if plate is None else hash_plate(policy.hash_key, plate)
    body = {
        "event_id": event_id,
        "presentation_id": car.presentation_id,
        "command_id": command_id,
        "choice": _choice(verdict).value,
        "reason": verdict.reason.value,
        "observation_id": None if read is None else read.event_id,
        "policy_version": policy.version,
        "risk_minor": verdict.risk_minor,
        "occupied_at": car.occupied_at,
        "occurred_at": now.at,
        "clock_uncertainty_ms": _uncertainty_ms(now),
    }
    return Decided(
        presentation_id=car.presentation_id,
        command_id=command_id,
        event_id=event_id,
        body=orjson.dumps(body).decode(),
        verdict=verdict,
        plate_hash=hashed,
        policy_version=policy.version,
    )


def _choice(verdict: Verdict) -> OfflineChoice:
    return OfflineChoice.OPEN if verdict.is_open else OfflineChoice.KEEP_CLOSED


def _uncertainty_ms(now: EdgeTime) -> int | None:
    if now.uncertainty_s is None:
        return None
    return min(-(-int(now.uncertainty_s * 1_000_000) // 1000), CLOCK_UNCERTAINTY_MS_MAX)


def _kept_read(body: Mapping[str, object]) -> CarRead:
    return CarRead(
        UUID(str(body["event_id"])),
        str(body["plate"]),
        float(str(body["confidence"])),
        is_usable=body.get("is_backfill") is not True and body.get("heading") != "away",
        is_correction=body.get("read_state") == "updated",
    )
