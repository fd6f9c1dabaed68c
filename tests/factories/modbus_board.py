"""A Modbus TCP board as tests want it: it answers, dies in the middle, and remembers its coils."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.factories.http_device import end_all

READ_COILS, READ_INPUTS, WRITE_COIL, WRITE_REGISTER = 1, 2, 5, 6
_HEADER = struct.Struct(">HHHB")
_BODY = struct.Struct(">BHH")
_ON = 0xFF00


@dataclass
class ModbusBoardDouble:
    """Coils, inputs and registers.

    Attributes:
        history: Every write of a coil, as `(coil, is_on)`.
        dies_after: A write of a coil after which it acts, and answers nobody until it is revived.
        refuses: Functions that it answers with an exception.
    """

    coils: dict[int, bool] = field(default_factory=dict[int, bool])
    inputs: dict[int, bool] = field(default_factory=dict[int, bool])
    registers: dict[int, int] = field(default_factory=dict[int, int])
    history: list[tuple[int, bool]] = field(default_factory=list[tuple[int, bool]])
    functions: list[int] = field(default_factory=list[int])
    dies_after: tuple[int, bool] | None = None
    refuses: frozenset[int] = frozenset()
    is_dead: bool = False
    port: int = 0
    writers: dict[asyncio.StreamWriter, "asyncio.Task[None] | None"] = field(
        default_factory=dict[asyncio.StreamWriter, "asyncio.Task[None] | None"]
    )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers[writer] = asyncio.current_task()
        try:
            while not self.is_dead:
                number, _, length, unit = _HEADER.unpack(await reader.readexactly(_HEADER.size))
                function, address, value = _BODY.unpack(await reader.readexactly(length - 1))
                answer = self._answer(function, address, value)
                if self.is_dead:
                    return
                writer.write(_HEADER.pack(number, 0, len(answer) + 1, unit) + answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.pop(writer)
            writer.close()

    def revive(self) -> None:
        self.is_dead = False
        self.dies_after = None

    def _answer(self, function: int, address: int, value: int) -> bytes:
        self.functions.append(function)
        if function in self.refuses:
            return bytes((function | 0x80, 4))
        if function == WRITE_COIL:
            is_on = value == _ON
            self.coils[address] = is_on
            self.history.append((address, is_on))
            self.is_dead = self.dies_after == (address, is_on)
        elif function == WRITE_REGISTER:
            self.registers[address] = value
        else:
            found = self.coils if function == READ_COILS else self.inputs
            bits = sum(found.get(address + index, False) << index for index in range(value))
            return bytes((function, (value + 7) // 8)) + bits.to_bytes((value + 7) // 8, "little")
        return _BODY.pack(function, address, value)


@asynccontextmanager
async def open_board(board: ModbusBoardDouble) -> AsyncGenerator[ModbusBoardDouble]:
    """Let the board listen inside the context."""
    server = await asyncio.start_server(board.serve, "127.0.0.1", board.port)
    board.port = server.sockets[0].getsockname()[1]
    try:
        yield board
    finally:
        server.close()
        await end_all(board.writers)
