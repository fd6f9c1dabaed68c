"""Vzenith's cameras as relays, over MQTT.

No transport keeps a frozen broker or camera from taking a command late. So the camera is asked
first, by a command that changes nothing; only its answer, just now, is followed by the pulse.
What remains is a freeze in the milliseconds between, and such a pulse is reported as unknown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import uuid4

from gate_bridge.agent.errors import (
    BarrierError,
    BrokerAwayError,
    PulseUnknownError,
    ReplyMissingError,
)
from gate_bridge.agent.machines.relay import InputListener, Permit
from gate_bridge.drivers.vzenith_mqtt import VzenithAnswer, VzenithCommands, read_answer
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError

GPIO: Final = "gpio_out"
DIRECT: Final = "gate_direct_open"

ReplyCheck = Callable[[bytes], bool]
"""Says whether a reply belongs to the command that waits."""


class Commander(Protocol):
    """What carries commands to a device and brings its reply, such as `Broker`."""

    async def request(
        self, topic: str, reply_topic: str, body: bytes, is_reply: ReplyCheck, timeout_s: float
    ) -> bytes:
        """Send to a device that listens now.

        Raises:
            BrokerAwayError: it was certainly not sent.
            ReplyMissingError: nobody can say what became of it.
        """
        ...

    def expect(self, reply_topic: str) -> None:
        """Prepare for replies under a topic."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VzenithMqttOptions:
    """How the barrier hangs on its camera.

    Attributes:
        output: Which switches it, from 0.
        command: `gpio_out`, or `gate_direct_open` for a barrier of the same maker.
        reply_s_max: How long the camera may take for an answer.
    """

    commands: VzenithCommands
    output: int = 0
    pulse_ms: int = 500
    command: str = GPIO
    reply_s_max: float = 2.0


class VzenithMqttRelay:
    """One camera's output. Its contacts come as the camera's own messages."""

    can_lower = False
    has_inputs = False

    def __init__(self, commander: Commander, options: VzenithMqttOptions, clock: Clock) -> None:
        self._commander = commander
        self._options = options
        self._clock = clock
        for command in {GPIO, options.command}:
            commander.expect(options.commands.reply_topic(command))

    async def pulse(self, permit: Permit) -> None:
        """Pulse once, within the permit.

        Raises:
            PulseUnknownError: the camera did not answer.
            BarrierError: it was certainly not pulsed.
        """
        permit.check()
        await self._ask_first(min(self._options.reply_s_max, permit.left_s()))
        permit.check()
        message_id = str(permit.command_id)
        try:
            answer = await self._command(
                self._options.command, message_id, self._opening(message_id)
            )
        except BrokerAwayError as error:
            raise BarrierError(str(error)) from error
        except ReplyMissingError as error:
            raise PulseUnknownError(str(error)) from error
        if not answer.is_accepted:
            raise BarrierError("the camera refused to switch its output")

    async def lower(self) -> None:
        """Refuse: the arm closes by its own loop.

        Raises:
            BarrierError: always.
        """
        raise BarrierError("this barrier closes by itself")

    async def watch(self, tell: InputListener) -> None:
        """Return: the camera's contacts come as its messages."""

    async def close(self) -> None:
        """Let the broker be: others use it."""

    async def _ask_first(self, timeout_s: float) -> None:
        message_id = str(uuid4())
        body = self._options.commands.switch_off(
            message_id, self._clock.now(), output=self._options.output
        )
        try:
            await self._command(GPIO, message_id, body, timeout_s)
        except (BrokerAwayError, ReplyMissingError) as error:
            raise BarrierError(
                f"the camera does not answer, so it was not pulsed: {error}"
            ) from error

    def _opening(self, message_id: str) -> bytes:
        options, now = self._options, self._clock.now()
        if options.command == DIRECT:
            return options.commands.open_directly(message_id, now)
        return options.commands.pulse(
            message_id, now, output=options.output, pulse_ms=options.pulse_ms
        )

    async def _command(
        self, command: str, message_id: str, body: bytes, timeout_s: float | None = None
    ) -> VzenithAnswer:
        commands = self._options.commands
        reply = await self._commander.request(
            commands.topic(command),
            commands.reply_topic(command),
            body,
            lambda reply: _is_answer(reply, message_id),
            self._options.reply_s_max if timeout_s is None else timeout_s,
        )
        return read_answer(reply)


def _is_answer(reply: bytes, message_id: str) -> bool:
    # By the id alone: the answer to an earlier command may come late.
    try:
        return read_answer(reply).message_id == message_id
    except InvalidInputError:
        return False
