"""The processes of the bench itself: crowds of gates and the bare peer, spoken to line by line."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sesame.bench.errors import BenchFailedError
from sesame.bench.gates.crowd import LINE_BYTES_MAX
from sesame.bench.gates.ground import FleetLane, FleetTls

ANSWER_TIMEOUT_S: Final = 600.0
END_TIMEOUT_S: Final = 20.0
_PROC: Final = Path("/proc")


class Child:
    """A Python program of the bench."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    async def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Give an order, and wait for its answer."""
        if self._process.stdin is None:
            raise RuntimeError("the child has no standard input")
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """Wait for another answer to the last order."""
        return json.loads(await self.line())

    async def line(self) -> bytes:
        """Return the next line that it prints.

        Raises:
            BenchFailedError: it ended, or said nothing for too long.
        """
        if self._process.stdout is None:
            raise RuntimeError("the child has no standard output")
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise BenchFailedError("a crowd of gates does not answer") from None
        if not line:
            raise BenchFailedError("a crowd of gates ended; standard error says why")
        return line


@asynccontextmanager
async def child(module: str, *arguments: object) -> AsyncGenerator[Child]:
    """Run a module for the length of the block; closing its standard input ends it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield Child(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()


class Crowds:
    """Several processes with a share of the gates each."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children

    def pids(self) -> dict[str, int]:
        """Return their process ids, by name."""
        return {f"gates_{number}": one.pid for number, one in enumerate(self._children, 1)}

    async def ask(self, order: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Give all of them the same order at the same time."""
        return list(await asyncio.gather(*(one.ask(order) for one in self._children)))

    async def ask_each(self, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Give each of them an order of its own at the same time."""
        pairs = zip(self._children, orders, strict=True)
        return list(await asyncio.gather(*(one.ask(order) for one, order in pairs)))


@asynccontextmanager
async def crowds(
    processes: int, lanes: Sequence[FleetLane], url: str, tls: FleetTls | None, *, bare: bool
) -> AsyncGenerator[Crowds]:
    """Run the gates of `lanes` in processes of their own for the length of the block."""
    shares = [lanes[number::processes] for number in range(processes)]
    async with AsyncExitStack() as undo:
        children = [
            await undo.enter_async_context(child("sesame.bench.gates.crowd", len(share)))
            for share in shares
        ]
        crowd = Crowds(children)
        await crowd.ask_each(
            [
                {
                    "url": url,
                    "bare": bare,
                    "ca": None if tls is None else str(tls.authority),
                    "key": None if tls is None else str(tls.key),
                    "lanes": [_lane(lane, tls) for lane in share],
                }
                for share in shares
            ]
        )
        yield crowd


def _lane(lane: FleetLane, tls: FleetTls | None) -> dict[str, str]:
    if tls is None:
        return {"lane_id": str(lane.lane_id), "token": lane.token}
    return {
        "lane_id": str(lane.lane_id),
        "certificate": str(tls.certificates[lane.lane_id]),
    }


def resident_kib(process_id: int) -> int:
    """Return the memory of a process with its children; 0 where nobody can tell."""
    children = _PROC / str(process_id) / "task" / str(process_id) / "children"
    try:
        below = [int(one) for one in children.read_text(encoding="ascii").split()]
    except OSError:
        below = []
    return sum(_resident_kib(one) for one in (process_id, *below))


def _resident_kib(process_id: int) -> int:
    try:
        status = (_PROC / str(process_id) / "status").read_text(encoding="utf-8")
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0")
    return int(line.split()[1])
