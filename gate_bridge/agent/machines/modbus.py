"""A relay board that speaks Modbus TCP: coils that open and close, discrete inputs for contacts.

A coil stays as it was written, whatever becomes of us. So our coils are switched off before
anything else on every new connection, and at every look that finds one on outside a pulse.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.machines.device_socket import throw_away_when_closed
from gate_bridge.agent.machines.relay import InputListener, Permit
from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.loops import stop_task
from parking.kit.errors import InvalidInputError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ANSWER_TIMEOUT_S = 1.0
PORT = 502
PULSE_S = 0.8
PULSE_S_MIN = 0.1
PULSE_S_MAX = 10.0
LOOK_S = 0.1
LOOK_S_MIN = 0.02
LOOK_S_MAX = 2.0
INPUTS_MAX = 64
ADDRESS_MAX = 65_535
UNIT_MAX = 247
OFF_TRIES_MAX = 600
OFF_PAUSE_S = 0.5
_WATCHDOG_VALUES = 2
_OPTIONS = (
    "unit",
    "open_coil",
    "close_coil",
    "one_shot",
    "pulse_s",
    "first_input",
    "inputs",
    "watchdog_register",
    "look_s",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusBoard:
    """Where the board is, and what its addresses mean; all count from 0.

    Attributes:
        unit: Its id on the bus; most boards with a network plug do not care.
        open_coil: Raises the arm.
        close_coil: Lowers it; None where the barrier closes by itself.
        is_one_shot: Whether the board itself switches a coil off after its own time.
        first_input: Where the wired inputs begin.
        inputs: How many there are.
        watchdog_register: Written at every look; None for a board without.
        look_s: Pause between two looks.
    """

    host: str
    port: int = PORT
    unit: int = 1
    open_coil: int = 0
    close_coil: int | None = None
    is_one_shot: bool = False
    pulse_s: float = PULSE_S
    first_input: int = 0
    inputs: int = 0
    watchdog_register: int | None = None
    look_s: float = LOOK_S


class ModbusRelay:
    """One opening coil, on one connection that looks and pulses share."""

    def __init__(self, board: ModbusBoard) -> None:
        self._board = board
        self._client: AsyncModbusTcpClient | None = None
        self._line = asyncio.Lock()
        self._pulsing: int | None = None
        self._switching_off: asyncio.Task[None] | None = None
        self._looks = 0
        self.can_lower = board.close_coil is not None
        self.has_inputs = board.inputs > 0

    async def pulse(self, permit: Permit) -> None:
        """Pulse the opening coil once.

        Raises:
            PulseUnknownError: the board did not answer the order.
            BarrierError: it was certainly not pulsed.
        """
        permit.check()
        await self._pulse(self._board.open_coil, permit)

    async def lower(self) -> None:
        """Pulse the closing coil.

        Raises:
            BarrierError: it was not told, or nobody knows.
        """
        if self._board.close_coil is not None:
            await self._pulse(self._board.close_coil, None)

    async def watch(self, tell: InputListener) -> None:
        """Tell of every input at every look, until cancelled.

        Raises:
            BarrierError: the board does not answer.
        """
        while True:
            async with self._line:
                inputs = await self._look()
            for number, is_on in enumerate(inputs, self._board.first_input):
                tell(number, is_on)
            await asyncio.sleep(self._board.look_s)

    async def close(self) -> None:
        """Let go of the connection; a coil that is still on is switched off first."""
        if self._switching_off is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await asyncio.shield(self._switching_off)
            await stop_task(self._switching_off)
        self._hang_up()

    async def _pulse(self, coil: int, permit: Permit | None) -> None:
        if self._switching_off is not None:
            await asyncio.wait([self._switching_off], timeout=ANSWER_TIMEOUT_S)
            if not self._switching_off.done():
                raise BarrierError("the board has not switched off what it switched on before")
        try:
            async with self._line:
                await self._switch_on(coil, permit)
            await asyncio.sleep(self._board.pulse_s)
        finally:
            was_written, self._pulsing = self._pulsing is not None, None
            if was_written and not self._board.is_one_shot:
                # A task of its own: the coil must go off even where the pulse is cancelled.
                self._switching_off = asyncio.create_task(self._switch_off(coil))
        if self._switching_off is not None:
            await asyncio.wait([self._switching_off], timeout=ANSWER_TIMEOUT_S)
        if not self.has_inputs:
            # Nobody would notice that an idle connection dies: the next pulse has a fresh one.
            self._hang_up()

    async def _switch_on(self, coil: int, permit: Permit | None) -> None:
        client = await self._connected()
        if await self._reads_on(client, coil):
            raise BarrierError("the coil is on already: something holds the arm open")
        if permit is not None:
            permit.check()
        self._pulsing = coil
        try:
            await self._said(client.write_coil(coil, True, device_id=self._board.unit))  # noqa: FBT003
        except _RefusedError:
            self._pulsing = None
            raise
        except BarrierError as error:
            await self._find_out(coil, error)

    async def _find_out(self, coil: int, error: BarrierError) -> None:
        """Take the pulse as done where the coil is on now; never pulse again to find out."""
        try:
            is_on = await self._reads_on(await self._reached(), coil)
        except BarrierError:
            is_on = False
        if not is_on:
            # Off may also mean that the board acts on it later.
            raise PulseUnknownError(f"the board did not say: {error}") from error

    async def _switch_off(self, coil: int) -> None:
        for _ in range(OFF_TRIES_MAX):
            try:
                async with self._line:
                    client = self._client or await self._reached()
                    await self._off(client, coil)
            except BarrierError as error:
                _log.warning("coil_may_be_on", error=str(error))
                await asyncio.sleep(OFF_PAUSE_S)
            else:
                return

    async def _look(self) -> list[bool]:
        board, client = self._board, await self._connected()
        is_ending = self._switching_off is not None and not self._switching_off.done()
        if self._pulsing is None and not is_ending:
            await self._off_if_on(client)
        if board.watchdog_register is not None:
            self._looks = (self._looks + 1) % _WATCHDOG_VALUES
            await self._said(
                client.write_register(board.watchdog_register, self._looks, device_id=board.unit)
            )
        answer = await self._said(
            client.read_discrete_inputs(board.first_input, count=board.inputs, device_id=board.unit)
        )
        return list(answer.bits[: board.inputs])

    async def _off_if_on(self, client: AsyncModbusTcpClient) -> None:
        for coil in self._own_coils():
            if await self._reads_on(client, coil):
                _log.warning("coil_was_on", coil=coil)
                await self._off(client, coil)

    def _own_coils(self) -> list[int]:
        """Return the coils that nobody but us switches off."""
        coils = [self._board.open_coil, self._board.close_coil]
        return [] if self._board.is_one_shot else [coil for coil in coils if coil is not None]

    async def _connected(self) -> AsyncModbusTcpClient:
        """Return the connection; on a new one the coils are switched off first of all."""
        if self._client is not None and self._client.connected:
            return self._client
        client = await self._reached()
        for coil in self._own_coils():
            await self._off(client, coil)
        return client

    async def _reached(self) -> AsyncModbusTcpClient:
        self._hang_up()
        client = AsyncModbusTcpClient(
            self._board.host,
            port=self._board.port,
            timeout=ANSWER_TIMEOUT_S,
            # Neither repeats an order by itself, nor connects behind our back.
            retries=0,
            reconnect_delay=0,
        )
        if not await client.connect():
            client.close()
            raise BarrierError("the board cannot be reached")
        throw_away_when_closed(client.ctx.transport)
        self._client = client
        return client

    async def _reads_on(self, client: AsyncModbusTcpClient, coil: int) -> bool:
        answer = await self._said(client.read_coils(coil, count=1, device_id=self._board.unit))
        return bool(answer.bits) and answer.bits[0]

    async def _off(self, client: AsyncModbusTcpClient, coil: int) -> None:
        await self._said(client.write_coil(coil, False, device_id=self._board.unit))  # noqa: FBT003

    async def _said(self, answer: Awaitable[ModbusPDU]) -> ModbusPDU:
        """Return an answer; the connection is given up where none comes.

        Raises:
            BarrierError: there is none, or the board refused.
        """
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                said = await answer
        except (ModbusException, OSError, TimeoutError) as error:
            self._hang_up()
            raise BarrierError(f"the board does not answer: {error}") from error
        except BaseException:
            # Cancelled: an answer that comes later must not be taken for another one.
            self._hang_up()
            raise
        if said.isError():
            raise _RefusedError(f"the board refused: {said}")
        return said

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def modbus(url: str, options: DeviceOptions, where: str) -> ModbusRelay:
    """Return the board that a site file describes.

    Raises:
        InvalidInputError: naming the option, or `where` for the address.
    """
    options.only(*_OPTIONS)
    parts = urlsplit(url)
    if parts.scheme != "tcp" or not parts.hostname:
        raise InvalidInputError(where, "tcp://host, or tcp://host:502")
    close_coil = options.number("close_coil", 0, ADDRESS_MAX)
    register = options.number("watchdog_register", 0, ADDRESS_MAX)
    return ModbusRelay(
        ModbusBoard(
            host=parts.hostname,
            port=parts.port or PORT,
            unit=options.integer("unit", 0, UNIT_MAX, 1),
            open_coil=options.integer("open_coil", 0, ADDRESS_MAX, 0),
            close_coil=None if close_coil is None else int(close_coil),
            is_one_shot=options.flag("one_shot", default=False),
            pulse_s=options.number("pulse_s", PULSE_S_MIN, PULSE_S_MAX) or PULSE_S,
            first_input=options.integer("first_input", 0, ADDRESS_MAX, 0),
            inputs=options.integer("inputs", 0, INPUTS_MAX, 0),
            watchdog_register=None if register is None else int(register),
            look_s=options.number("look_s", LOOK_S_MIN, LOOK_S_MAX) or LOOK_S,
        )
    )


class _RefusedError(BarrierError):
    """The board understood, and refused."""
