"""An event loop whose time goes by only while nothing can be done, and disks and tasks in it."""

import asyncio
import selectors
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")
OWNER: ContextVar[str] = ContextVar("owner", default="world")
CANCELS_MAX = 20


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait: it moves the loop's time on."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self.loop.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Seconds cost nothing; each task belongs to whoever started it."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        selector.loop = self
        self.now_s = 1000.0
        self._owned: dict[str, dict[asyncio.Task[Any], None]] = {}
        super().__init__(selector)
        self.set_task_factory(self._make)  # pyright: ignore[reportArgumentType]

    def time(self) -> float:
        return self.now_s

    async def kill(self, owner: str) -> None:
        """End every task of an owner; what they do in their last moments counts for nothing."""
        for _ in range(CANCELS_MAX):
            alive = [task for task in self._owned.get(owner, ()) if not task.done()]
            if not alive:
                return
            for task in alive:
                task.cancel()
            await asyncio.sleep(0)
        raise AssertionError(f"{owner} does not die")

    def _make(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, ResultT],
        **named: Any,  # noqa: ANN401 - as the loop gives them
    ) -> asyncio.Task[ResultT]:
        task = asyncio.Task(work, loop=loop, **named)
        owned = self._owned.setdefault(OWNER.get(), {})
        owned[task] = None
        task.add_done_callback(lambda done: owned.pop(done, None))
        return task


class VirtualDisk(ThreadPoolExecutor):
    """Does one thing after the other, each after a while; one that is unplugged does nothing."""

    def __init__(
        self, loop: VirtualLoop, connection: sqlite3.Connection, pause_s: Callable[[], float]
    ) -> None:
        super().__init__(max_workers=1)
        self._loop = loop
        self._connection = connection
        self._pause_s = pause_s
        self._free_s = 0.0
        self.is_unplugged = False
        self.after_each: Callable[[], None] = lambda: None

    def submit(
        self,
        fn: Callable[..., ResultT],
        /,
        *args: Any,  # noqa: ANN401 - as an executor takes them
        **named: Any,  # noqa: ANN401
    ) -> Future[ResultT]:
        future: Future[ResultT] = Future()
        self._free_s = max(self._free_s, self._loop.time()) + self._pause_s()
        self._loop.call_at(self._free_s, self._do, future, lambda: fn(*args, **named))
        return future

    def _do(self, future: Future[ResultT], work: Callable[[], ResultT]) -> None:
        if self.is_unplugged or not future.set_running_or_notify_cancel():
            return
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        else:
            self.after_each()
            future.set_result(result)
