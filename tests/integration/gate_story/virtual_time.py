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
# Every turn of the loop takes a moment: who waits for less than a float can tell waits for ever.
TURN_S = 1e-6
THREAD_S = 0.001


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait, and looks at no file: it moves the loop's time on."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.now_s += TURN_S
        if not self.loop.turned() and timeout != 0:
            if timeout is not None:
                self.loop.now_s += timeout
            elif not self.loop.is_counting:
                raise RuntimeError("nothing will ever happen again")
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Seconds cost nothing; each task belongs to whoever started it."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        selector.loop = self
        self.now_s = 1000.0
        self._owned: dict[str, dict[asyncio.Task[Any], None]] = {}
        self._counting: tuple[int, asyncio.Future[None]] | None = None
        super().__init__(selector)
        self.set_task_factory(self._make)  # pyright: ignore[reportArgumentType]
        # A real thread would take as long as the machine is busy.
        self.set_default_executor(DiskThread(self, lambda: THREAD_S))

    def time(self) -> float:
        return self.now_s

    async def turns(self, count: int) -> None:
        """Wait until the loop has gone round so often: every await ends between two of them."""
        waiting = self.create_future()
        self._counting = (count, waiting)
        await waiting

    @property
    def is_counting(self) -> bool:
        """Whether somebody waits for the loop to go round."""
        return self._counting is not None

    def turned(self) -> bool:
        """Count; return whether somebody is to be woken who waited for it."""
        if self._counting is None:
            return False
        left, waiting = self._counting
        self._counting = (left - 1, waiting) if left > 1 else None
        if left <= 1 and not waiting.done():
            waiting.set_result(None)
            return True
        return False

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

    def end(self) -> None:
        """End whatever is left, and close."""
        for _ in range(CANCELS_MAX):
            alive = asyncio.all_tasks(self)
            for task in alive:
                task.cancel()
            if not alive:
                break
            self.run_until_complete(asyncio.gather(*alive, return_exceptions=True))
        self.close()

    def _write_to_self(self) -> None:
        # There is no other thread that could have to wake this one.
        return

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


class StoryDisk(sqlite3.Connection):
    """What a journal is kept on; it outlives the processes, and may be full."""

    is_full = False

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as it is
        if self.is_full and statement == "COMMIT":
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return super().execute(statement, *values)


class DiskThread(ThreadPoolExecutor):
    """Does one thing after the other, each after a while; one that is unplugged does nothing."""

    def __init__(self, loop: VirtualLoop, pause_s: Callable[[], float]) -> None:
        super().__init__(max_workers=1)
        self._loop = loop
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
