"""A barrier with two loops and a car in front of it, without a street."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from gate_bridge.agent.barrier import ArmPosition, Feedback, LoopChange
from gate_bridge.agent.errors import LaneEmptyError, LaneOccupiedError
from gate_bridge.agent.world import Car, Happening, StreetLog
from gate_bridge.wire.actions import BarrierEventKind

FEEDBACK_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """How long things take.

    Attributes:
        relay_before_s: From the order to the closing of the relay's contact.
        relay_after_s: From the contact to the relay's confirmation.
        rise_s: From the contact to the open arm.
        pass_s: From the open arm until the car is through.
        fall_s: From the free exit loop to the closed arm.
    """

    relay_before_s: float = 0.0
    relay_after_s: float = 0.0
    rise_s: float = 0.05
    pass_s: float = 0.1
    fall_s: float = 0.05


@dataclass(slots=True)
class Faults:
    """What is broken.

    Attributes:
        arm_jammed: The relay clicks and the arm stays down.
        feedback_lost: The arm moves and reports nothing.
        contact_late_s: The relay's contact closes so much later than it should.
        confirmation_late_s: The relay confirms so much later than it should.
    """

    arm_jammed: bool = False
    feedback_lost: bool = False
    contact_late_s: float = 0.0
    confirmation_late_s: float = 0.0


class SimulatedBarrier:
    """Plays relay, arm, entry loop, exit loop and the car.

    Args:
        log_path: The street's memory; see `world`.
    """

    def __init__(self, log_path: Path, motion: Motion, faults: Faults) -> None:
        self._log = StreetLog(log_path)
        self._motion = motion
        self.faults = faults
        self._feedback: asyncio.Queue[Feedback] = asyncio.Queue(FEEDBACK_MAX)
        self._movement: asyncio.Task[None] | None = None

    @property
    def car(self) -> Car | None:
        """Return the car on the loop."""
        return self._log.street.car

    @property
    def pulses(self) -> int:
        """Return how often the relay was pulsed, over every process that used the log."""
        return self._log.street.pulses

    async def start(self) -> None:
        """Let go on what was under way when an earlier process was killed."""
        if self._log.street.arm_rising or self._log.street.arm_up:
            self._move(self._raise_and_pass())

    async def close(self) -> None:
        """Stop moving."""
        if self._movement is not None:
            self._movement.cancel()
            await asyncio.gather(self._movement, return_exceptions=True)

    def arrive(self, car: Car) -> None:
        """Put a car on the entry loop.

        Raises:
            LaneOccupiedError: there is one.
            PictureError: its pictures cannot be read.
        """
        if self.car is not None:
            raise LaneOccupiedError("car: one stands on the loop already")
        car.pictures.check()
        self._log.write(Happening.CAR_CAME, car=car)
        self._signal(LoopChange.OCCUPIED)

    def leave(self) -> None:
        """Let the car back out.

        Raises:
            LaneEmptyError: there is none.
        """
        if self.car is None:
            raise LaneEmptyError("car: none stands on the loop")
        self._log.write(Happening.CAR_LEFT)
        self._signal(LoopChange.CLEARED)
        if self._log.street.arm_up:
            self._signal(BarrierEventKind.BACKED_OUT)

    def tailgate(self) -> None:
        """Let a second car through behind the first, while the arm is up."""
        if self._log.street.arm_up:
            self._signal(BarrierEventKind.TAILGATE)

    def open_by_hand(self, operator: str, reason: str) -> None:
        """Let a named person open the barrier."""
        self._signal(BarrierEventKind.MANUAL_OPEN, operator=operator, reason=reason)
        self._move(self._raise_and_pass())

    async def pulse(self, command_id: UUID, deadline_s: float) -> None:
        """Pulse the opening relay once; how late a relay is, its faults say."""
        del deadline_s
        await asyncio.sleep(self._motion.relay_before_s + self.faults.contact_late_s)
        self._log.write(Happening.PULSED, command_id=command_id)
        self._move(self._raise_and_pass())
        await asyncio.sleep(self._motion.relay_after_s + self.faults.confirmation_late_s)

    def position(self) -> ArmPosition:
        """Return where the arm is now."""
        if self._log.street.arm_up:
            return ArmPosition.UP
        return ArmPosition.MOVING if self._log.street.arm_rising else ArmPosition.DOWN

    def loop_occupied(self) -> bool:
        """Return whether a car stands on the entry loop now."""
        return self.car is not None

    async def next_feedback(self) -> Feedback:
        """Wait for the next signal."""
        return await self._feedback.get()

    def _move(self, movement: Coroutine[None, None, None]) -> None:
        if self._movement is not None:
            self._movement.cancel()
        self._movement = asyncio.create_task(movement)

    async def _raise_and_pass(self) -> None:
        if self.faults.arm_jammed:
            await asyncio.sleep(self._motion.rise_s)
            self._log.write(Happening.ARM_FELL)
            self._signal(BarrierEventKind.OBSTRUCTED, reason="the arm did not leave its rest")
            return
        if not self._log.street.arm_up:
            self._signal(BarrierEventKind.OPENING)
            await asyncio.sleep(self._motion.rise_s)
            self._log.write(Happening.ARM_ROSE)
            self._signal(BarrierEventKind.OPENED)
        await asyncio.sleep(self._motion.pass_s)
        if self.car is not None:
            self._log.write(Happening.CAR_LEFT)
            self._signal(LoopChange.CLEARED)
            self._signal(BarrierEventKind.PASSED)
        await asyncio.sleep(self._motion.fall_s)
        self._log.write(Happening.ARM_FELL)
        self._signal(BarrierEventKind.CLOSED)

    def _signal(
        self,
        kind: BarrierEventKind | LoopChange,
        *,
        operator: str | None = None,
        reason: str | None = None,
    ) -> None:
        if self.faults.feedback_lost and isinstance(kind, BarrierEventKind):
            return
        self._feedback.put_nowait(Feedback(kind, operator, reason))
