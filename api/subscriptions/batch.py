"""Reads that are wanted at the same time, gathered into few statements."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from parking.kit.tasks import end_tasks

Question = TypeVar("Question")
Answer = TypeVar("Answer")

# While many come close together, each statement waits so long for some more of them.
GATHER_S: Final = 0.004
# They come close together if several were asked for together so lately.
CROWD_S: Final = 0.02


class Batch(Generic[Question, Answer]):
    """Asks for one what others ask for at the same time, too.

    Whoever comes alone does not wait for others: those who come while it is asked are asked for
    together afterwards. In a crowd, as after a restart, all wait GATHER_S: a statement for each few
    would take the time of the others.

    Args:
        read: Answers questions, in their order.
        size_max: So many questions at once.
        at_once_max: So many times at once, each with a connection of its own.
    """

    def __init__(
        self,
        read: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
        *,
        size_max: int,
        at_once_max: int,
    ) -> None:
        self._read = read
        self._size_max = size_max
        self._at_once_max = at_once_max
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        # Not how many tasks there are: one that found nothing waiting any more is still among them.
        self._running = 0
        self._crowded_until_s = 0.0

    async def ask(self, question: Question) -> Answer:
        """Return the answer; raises what `read` does."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._running < self._at_once_max:
            self._running += 1
            task = asyncio.create_task(self._answer())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def close(self) -> None:
        """Answer nobody any more."""
        await end_tasks(*self._tasks)

    async def _answer(self) -> None:
        try:
            while self._waiting:
                if self._crowded_until_s > asyncio.get_running_loop().time():
                    await asyncio.sleep(GATHER_S)
                taken = [self._waiting.popleft() for _ in range(self._take())]
                # Whoever gave up meanwhile needs no answer.
                asked = [(question, future) for question, future in taken if not future.done()]
                if len(asked) > 1:
                    self._crowded_until_s = asyncio.get_running_loop().time() + CROWD_S
                if asked:
                    await self._answer_some(asked)
        finally:
            self._running -= 1

    def _take(self) -> int:
        return min(len(self._waiting), self._size_max)

    async def _answer_some(self, asked: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._read([question for question, _ in asked])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who asked are told
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(asked, answers, strict=True):
            if not future.done():
                future.set_result(answer)
