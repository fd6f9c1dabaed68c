"""Stories of one lane: no wrong open and no lost event, whatever comes late, twice or never.

Set SESAME_GATE_STORIES to how many should be told besides those of the suite.
"""

import asyncio
import os
import random
import time
from types import SimpleNamespace

import pytest

from gate_bridge.agent import server_time as server_time_module
from gate_bridge.agent.errors import JournalFullError
from tests.integration.gate_story.story import Story
from tests.integration.gate_story.virtual_time import VirtualLoop
from tests.money.dice import SeededDice

STEPS = 60
WANTED = int(os.environ.get("SESAME_GATE_STORIES", "0"))
FIRST = int(os.environ.get("SESAME_GATE_STORIES_FROM", "1000"))
SEEDS = (*range(16), *range(FIRST, FIRST + WANTED))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_wrong_open_and_no_lost_event_in_a_story(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = VirtualLoop()
    random.seed(seed)
    clock = SimpleNamespace(monotonic=loop.time, clock_gettime=lambda _kind: loop.time())  # pyright: ignore[reportUnknownLambdaType]
    clock.CLOCK_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", 0)
    monkeypatch.setattr(server_time_module, "time", clock)
    failures: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: failures.append(_error(context)))

    async def tell() -> None:
        story = Story(loop, SeededDice(seed))
        try:
            await story.tell(STEPS)
            # A write whose caller is gone may still fail.
            assert [one for one in failures if not isinstance(one, JournalFullError)] == []
        except BaseException as error:
            error.add_note("\n".join([*story.told, *map(repr, failures)]))
            raise
        finally:
            if story.process is not None:
                await story.process.kill()
            story.disk.close()

    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(tell())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _error(context: dict[str, object]) -> BaseException:
    error = context.get("exception")
    return error if isinstance(error, BaseException) else RuntimeError(str(context["message"]))
