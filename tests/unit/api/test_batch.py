"""Questions that come at the same time are asked together, and none is forgotten."""

import asyncio
from collections.abc import Sequence

import pytest

from api.subscriptions import batch as batches
from api.subscriptions.batch import Batch


class Reads:
    """Answers each question with its square, when it is let."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, questions: Sequence[int]) -> list[int]:
        self.asked.append(list(questions))
        self.is_asked.set()
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return [one * one for one in questions]


async def test_those_who_come_while_one_is_asked_are_asked_together() -> None:
    reads = Reads()
    batch = Batch(reads, size_max=3, at_once_max=1)
    first = asyncio.create_task(batch.ask(1))
    await reads.is_asked.wait()
    others = [asyncio.create_task(batch.ask(number)) for number in range(2, 7)]
    await asyncio.sleep(0)
    # Who gives up is not asked for.
    others[1].cancel()
    reads.may_answer.set()
    assert await first == 1
    found = await asyncio.gather(*others, return_exceptions=True)
    assert [one for one in found if isinstance(one, int)] == [4, 16, 25, 36]
    assert reads.asked == [[1], [2, 4], [5, 6]]


async def test_whoever_asks_as_the_last_answer_comes_is_answered_too() -> None:
    reads = Reads()
    reads.may_answer.set()
    batch = Batch(reads, size_max=3, at_once_max=1)

    async def ask_in_a_row() -> list[int]:
        return [await batch.ask(number) for number in range(50)]

    async with asyncio.timeout(10):
        assert await ask_in_a_row() == [number * number for number in range(50)]


async def test_in_a_crowd_each_waits_for_others_and_whoever_comes_alone_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "CROWD_S", 60.0)
    reads = Reads()
    reads.may_answer.set()
    batch = Batch(reads, size_max=3, at_once_max=1)
    alone = asyncio.create_task(batch.ask(1))
    await reads.is_asked.wait()
    assert await alone == 1
    assert await asyncio.gather(batch.ask(2), batch.ask(3)) == [4, 9]
    first = asyncio.create_task(batch.ask(4))
    for _ in range(5):
        await asyncio.sleep(0)
    assert await asyncio.gather(first, batch.ask(5)) == [16, 25]
    assert reads.asked == [[1], [2, 3], [4, 5]]


async def test_a_failure_is_told_to_all_who_asked_and_to_nobody_else() -> None:
    reads = Reads()
    reads.error = OSError("away")
    reads.may_answer.set()
    batch = Batch(reads, size_max=3, at_once_max=1)
    found = await asyncio.gather(batch.ask(1), batch.ask(2), return_exceptions=True)
    assert [type(one) for one in found] == [OSError, OSError]
    reads.error = None
    assert await batch.ask(3) == 9
    with pytest.raises(asyncio.CancelledError):
        await _cancelled(batch)


async def _cancelled(batch: Batch[int, int]) -> None:
    task = asyncio.create_task(batch.ask(4))
    await asyncio.sleep(0)
    task.cancel()
    await task
