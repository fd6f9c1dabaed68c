"""Tells one story in virtual time, and says what was broken and how to hear it again."""

import asyncio
import random
import time
from dataclasses import dataclass
from types import SimpleNamespace
from unittest import mock

import structlog

from gate_bridge.agent import server_time
from gate_bridge.agent.errors import JournalFullError
from tests.integration.gate_story.story import Story
from tests.integration.gate_story.virtual_time import VirtualLoop
from tests.money.dice import SeededDice

STEPS = 60
LINES_MAX = 40


@dataclass(frozen=True)
class Telling:
    """What became of one story.

    Attributes:
        broken: What must not be; None where all was well.
        told: The log.
    """

    seed: int
    steps: int
    favoured: frozenset[str]
    broken: str | None
    told: tuple[str, ...]

    def __str__(self) -> str:
        favoured = "".join(f" --favour {name}" for name in sorted(self.favoured))
        options = f"--first {self.seed} --stories 1 --steps {self.steps}{favoured}"
        left_out = max(0, len(self.told) - LINES_MAX)
        return "\n".join(
            (
                f"seed {self.seed}: {self.broken or 'all was well'}",
                *([f"({left_out} lines before)"] if left_out else []),
                *self.told[-LINES_MAX:],
                f"again: python -m tests.integration.gate_story.tell {options}",
            )
        )


def tell(seed: int, steps: int = STEPS, favoured: frozenset[str] = frozenset()) -> Telling:
    """Tell the story of a seed: the same one on every machine, however busy it is."""
    loop = VirtualLoop()
    clock = SimpleNamespace(
        monotonic=loop.time,
        clock_gettime=lambda _kind: loop.now_s,  # pyright: ignore[reportUnknownLambdaType]
        CLOCK_BOOTTIME=getattr(time, "CLOCK_BOOTTIME", 0),
    )
    failures: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: failures.append(_error(context)))
    state = random.getstate()
    random.seed(seed)
    asyncio.set_event_loop(loop)
    try:
        with mock.patch.object(server_time, "time", clock), structlog.testing.capture_logs():
            story = Story(loop, SeededDice(seed), favoured)
            broken = loop.run_until_complete(_tell(story, steps, failures))
            loop.run_until_complete(story.close())
    finally:
        loop.end()
        asyncio.set_event_loop(None)
        random.setstate(state)
    return Telling(seed, steps, favoured, broken, tuple(story.lane.told))


async def _tell(story: Story, steps: int, failures: list[BaseException]) -> str | None:
    try:
        await story.tell(steps)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the story found
        wrong = story.lane.judge.wrong
        return wrong[0] if wrong else f"{type(error).__name__}: {error}".splitlines()[0]
    # A write whose caller is gone may still fail.
    unexpected = [error for error in failures if not isinstance(error, JournalFullError)]
    return repr(unexpected[0]) if unexpected else None


def _error(context: dict[str, object]) -> BaseException:
    error = context.get("exception")
    return error if isinstance(error, BaseException) else RuntimeError(str(context["message"]))
