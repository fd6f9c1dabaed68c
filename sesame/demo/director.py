"""Plays every scenario once, all at the same time, and then looks whether the money is right."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parking.kit.errors import ParkingError
from sesame.demo.day_end import ComparedDay, compare_days
from sesame.demo.scenarios import SCENARIOS, Act, Scenario, Stage, StepListener
from sesame.demo.witness import Books

SCENARIO_TIMEOUT_S: Final = 120.0
BOOKS_LOOKS_MAX: Final = 50
BOOKS_LOOK_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one scenario turned out; `reason` says why it failed."""

    name: str
    title: str
    passed: bool
    wall_s: float
    checks: int
    facts: dict[str, str | int]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Round:
    """How all of them turned out.

    Attributes:
        books: The money that the round moved.
        days: The round's days, compared with every provider's settlement file.
    """

    outcomes: tuple[Outcome, ...]
    books: Books
    days: tuple[ComparedDay, ...]
    wall_s: float

    @property
    def books_agree(self) -> bool:
        """Whether nothing is owed, and the ledger says what every provider says."""
        return agree(self.books)

    @property
    def days_agree(self) -> bool:
        """Whether every provider's file, the ledger and the gates say the same."""
        return not any(day.differences for day in self.days)

    @property
    def passed(self) -> bool:
        """Whether everything was as promised."""
        return (
            self.books_agree
            and self.days_agree
            and all(outcome.passed for outcome in self.outcomes)
        )


OutcomeListener = Callable[[Outcome], None]


def agree(books: Books) -> bool:
    """Say whether nothing is owed, and the ledger says what every provider says."""
    is_balanced = not any(books.ledger_sum.values()) and not books.receivable
    return is_balanced and books.held == books.captured


async def play_round(stage: Stage, on_step: StepListener, on_outcome: OutcomeListener) -> Round:
    """Play every scenario once; a failure is an outcome, not an exception."""
    began_s = time.monotonic()
    began_at = stage.town.context.clock.now()
    # What earlier rounds asked the stand-ins to play must not reach this one.
    await asyncio.gather(*(desk.play(clear=True) for desk in stage.town.desks.values()))
    before = await stage.witness.books(began_at)

    async def play(scenario: Scenario) -> Outcome:
        outcome = await _play(stage, scenario, on_step)
        on_outcome(outcome)
        return outcome

    outcomes = await asyncio.gather(*(play(scenario) for scenario in SCENARIOS))
    books = await _settled(stage, before, began_at)
    days = await compare_days(stage.town, began_at)
    return Round(tuple(outcomes), books, tuple(days), round(time.monotonic() - began_s, 2))


async def _play(stage: Stage, scenario: Scenario, on_step: StepListener) -> Outcome:
    act = Act(scenario.name, on_step)
    began_s = time.monotonic()
    reason: str | None = None
    try:
        async with asyncio.timeout(SCENARIO_TIMEOUT_S):
            await scenario.play(stage, act)
    except TimeoutError:
        reason = f"not over after {SCENARIO_TIMEOUT_S:g} s"
    except ParkingError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - one scenario's defect must not end the others
        reason = f"{type(error).__name__}: {error}"
    return Outcome(
        name=scenario.name,
        title=scenario.title,
        passed=reason is None,
        wall_s=round(time.monotonic() - began_s, 2),
        checks=act.checks,
        facts=act.facts,
        reason=reason,
    )


async def _settled(stage: Stage, before: Books, began_at: datetime) -> Books:
    """Return what the round moved, once ledger and providers agree or time is over."""
    for _ in range(BOOKS_LOOKS_MAX):
        moved = (await stage.witness.books(began_at)).since(before)
        if agree(moved):
            return moved
        await asyncio.sleep(BOOKS_LOOK_S)
    return (await stage.witness.books(began_at)).since(before)
