"""A process full of gates: `python -m sesame.bench.gates.crowd`, told what to do line by line.

Each line of standard input is one order in JSON, each line of standard output its answer. Times
are of the steady clock, which all processes of a machine share.
"""

import asyncio
import json
import random
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from gate_bridge.wire.limits import PATH_PREFIX
from sesame.bench.gates.gate import ANSWER_TIMEOUT_S, FAILURES, Address, BenchGate
from sesame.bench.gates.open_files import raise_open_files

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
CONNECTS_AT_ONCE_MAX: Final = 256
CONNECTED_TIMEOUT_S: Final = 300.0
FAILURES_TOLD_MAX: Final = 5
ECHO_TEXT: Final = "x" * 200

Answer = dict[str, Any]


class Crowd:
    """The gates of this process, or their connections to the bare peer."""

    def __init__(self, orders: Mapping[str, Any]) -> None:
        turns = asyncio.Semaphore(CONNECTS_AT_ONCE_MAX)
        self._addresses = [_address(lane, orders) for lane in orders["lanes"]]
        self._gates = [BenchGate(address, turns) for address in self._addresses]
        self._running: list[asyncio.Task[None]] = []
        self._echoes: list[ClientConnection] = []

    async def connect(self, _order: Mapping[str, Any]) -> Answer:
        """Let every gate connect, and wait until all are."""
        self._running = [asyncio.create_task(gate.run()) for gate in self._gates]
        return await self.connected({"times": 1})

    async def connected(self, order: Mapping[str, Any]) -> Answer:
        """Wait until every gate has connected so many times, and is connected."""
        times = int(order["times"])
        async with asyncio.timeout(CONNECTED_TIMEOUT_S):
            for gate in self._gates:
                while len(gate.connected_s) < times:
                    gate.connected.clear()
                    await gate.connected.wait()
                await gate.connected.wait()
        return {
            "connected_s": [gate.connected_s[times - 1] for gate in self._gates],
            "tries": sum(gate.tries for gate in self._gates),
        }

    async def drive(self, order: Mapping[str, Any]) -> Answer:
        """Let cars come at a rate, whatever becomes of the earlier ones."""
        plates: Sequence[str] = order["plates"]
        results, late_ms = await _at_rate(
            [lambda plate=plate: self._some_gate().open_for(plate) for plate in plates],
            float(order["rate_per_s"]),
        )
        told = [str(result) for result in results if not isinstance(result, float)]
        return {
            "open_ms": [result for result in results if isinstance(result, float)],
            "late_ms": late_ms,
            "failures": len(told),
            "first_failures": told[:FAILURES_TOLD_MAX],
            "stale_orders": sum(gate.stale_orders for gate in self._gates),
        }

    async def connect_echoes(self, _order: Mapping[str, Any]) -> Answer:
        """Connect as many times to the bare peer."""
        turns = asyncio.Semaphore(CONNECTS_AT_ONCE_MAX)

        async def one(address: Address) -> tuple[ClientConnection, float]:
            async with turns:
                socket = await connect(
                    address.url,
                    compression=None,
                    proxy=None,
                    open_timeout=ANSWER_TIMEOUT_S,
                    ssl=address.tls,
                )
            return socket, time.monotonic()

        made = await asyncio.gather(*(one(address) for address in self._addresses))
        self._echoes = [socket for socket, _ in made]
        return {"connected_s": [at_s for _, at_s in made]}

    async def echo(self, order: Mapping[str, Any]) -> Answer:
        """Send a text at a rate over connections taken at random, and time its return."""
        calls = [self._echo_once] * int(order["count"])
        results, _ = await _at_rate(calls, float(order["rate_per_s"]))
        return {
            "echo_ms": [result for result in results if isinstance(result, float)],
            "failures": sum(not isinstance(result, float) for result in results),
        }

    async def close(self, _order: Mapping[str, Any]) -> Answer:
        """End every connection."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await asyncio.gather(*(socket.close() for socket in self._echoes), return_exceptions=True)
        self._echoes = []
        return {}

    def _some_gate(self) -> BenchGate:
        return random.choice(self._gates)  # noqa: S311 - no secret

    async def _echo_once(self) -> float:
        socket = random.choice(self._echoes)  # noqa: S311 - no secret
        started_s = time.monotonic()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await socket.send(ECHO_TEXT)
            await socket.recv()
        return (time.monotonic() - started_s) * 1000


async def _at_rate(
    calls: Sequence[Callable[[], Awaitable[float]]], rate_per_s: float
) -> tuple[list[float | str], list[float]]:
    """Make a call every `1 / rate_per_s`, without waiting for the earlier ones (an open loop).

    Returns:
        What each took, or why it failed; and by how many ms each was made too late, because this
        process had no time for it.
    """
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    late_ms: list[float] = []

    async def one(number: int, call: Callable[[], Awaitable[float]]) -> float | str:
        due_s = started_s + number / rate_per_s
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        late_ms.append(max(0.0, loop.time() - due_s) * 1000)
        try:
            return await call()
        except FAILURES as error:
            return str(error) or type(error).__name__

    results = await asyncio.gather(*(one(number, call) for number, call in enumerate(calls)))
    return results, late_ms


def _address(lane: Mapping[str, Any], orders: Mapping[str, Any]) -> Address:
    lane_id = UUID(lane["lane_id"])
    path = "" if orders["bare"] else f"{PATH_PREFIX}{lane_id}"
    token = lane.get("token")
    return Address(
        lane_id,
        f"{orders['url']}{path}",
        {} if token is None else {"Authorization": f"Bearer {token}"},
        _tls(lane, orders),
    )


def _tls(lane: Mapping[str, Any], orders: Mapping[str, Any]) -> ssl.SSLContext | None:
    if orders["ca"] is None:
        return None
    context = ssl.create_default_context(cafile=orders["ca"])
    context.load_cert_chain(lane["certificate"], orders["key"])
    return context


async def _obey() -> None:
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    crowd = Crowd(json.loads(await reader.readline()))
    _tell({})
    while line := await reader.readline():
        order: dict[str, Any] = json.loads(line)
        do: Callable[[Mapping[str, Any]], Awaitable[Answer]] = {
            "connect": crowd.connect,
            "connected": crowd.connected,
            "drive": crowd.drive,
            "connect_echoes": crowd.connect_echoes,
            "echo": crowd.echo,
            "close": crowd.close,
        }[order["do"]]
        _tell(await do(order))
    transport.close()


def _tell(answer: Answer) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise_open_files(int(sys.argv[1]))
    uvloop.run(_obey())
