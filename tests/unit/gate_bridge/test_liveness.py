"""Who is asked for a sign of life, and who ends without one."""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack

from gate_bridge.liveness import NO_PONG, Liveness
from gate_bridge.wire.link import LinkClosedError

INTERVAL_S = 0.05


class Peer:
    """A connection whose far end a test plays."""

    def __init__(self, heard_s: float) -> None:
        self.heard_s = heard_s
        self.pings = 0
        self.closes: list[int] = []
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def pong(self) -> None:
        self.pings += 1
        await self.answer

    async def close(self, code: int, reason: str) -> None:
        _ = reason
        self.closes.append(code)


class Watch:
    """A watch over peers of one test, with a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.tasks: list[asyncio.Task[None]] = []
        self.stack = ExitStack()
        self.liveness = Liveness(INTERVAL_S, self._spawn, lambda: self.now_s)

    def _spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    def peer(self) -> Peer:
        peer = Peer(self.now_s)
        self.stack.enter_context(self.liveness.over(peer))
        return peer

    async def after(self, seconds: float) -> None:
        self.now_s += seconds
        self.liveness.look()
        # The tasks that ask have asked once they ran.
        await asyncio.sleep(0)

    async def settled(self) -> None:
        await asyncio.gather(*self.tasks)


async def test_who_is_heard_is_never_asked_and_who_is_silent_once_at_a_time() -> None:
    watch = Watch()
    talks, silent = watch.peer(), watch.peer()
    for _ in range(3):
        talks.heard_s = watch.now_s
        await watch.after(INTERVAL_S * 0.9)
    assert (talks.pings, silent.pings) == (0, 1)
    silent.answer.set_result(None)
    await watch.settled()
    await watch.after(INTERVAL_S * 0.05)
    assert silent.pings == 1, "its pong is a sign of life"
    talks.heard_s = watch.now_s + INTERVAL_S
    await watch.after(INTERVAL_S)
    assert (talks.pings, silent.pings) == (0, 2)
    await watch.settled()
    assert (talks.closes, silent.closes) == ([], [])


async def test_without_a_pong_it_ends_and_a_connection_that_ended_is_left_alone() -> None:
    watch = Watch()
    frozen, ended = watch.peer(), watch.peer()
    await watch.after(INTERVAL_S)
    ended.answer.set_exception(LinkClosedError(1006))
    await watch.settled()
    assert (frozen.closes, ended.closes) == ([NO_PONG], [])
    watch.stack.close()
    await watch.after(INTERVAL_S)
    assert (frozen.pings, ended.pings) == (1, 1)
