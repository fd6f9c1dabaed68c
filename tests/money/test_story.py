"""Directed stories over real PostgreSQL and the providers' stand-ins: the ten promises hold.

Some are told by seeds, which are fast to tell again. Others are drawn by hypothesis, which shortens
a story that breaks a promise: set SESAME_STORIES to how many it should try.
"""

import asyncio
import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from parking.flows.payments import charging
from sesame.embedded.stack import Stack
from tests.money.dice import Dice, DrawnDice, SeededDice
from tests.money.story import Told
from tests.money.tell import tell_one

SEEDS = range(6)
STEPS = 60
DRAWN_STEPS = 30
WANTED = int(os.environ.get("SESAME_STORIES", "0"))
DRAWN = settings(
    max_examples=WANTED or 2,
    # The suite tries the same stories each time; whoever asks for more gets new ones, shortened.
    derandomize=not WANTED,
    phases=(Phase.generate, Phase.shrink) if WANTED else (Phase.generate,),
    database=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)

Record = Callable[[str, object], None]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0,))


@pytest.mark.parametrize("seed", SEEDS)
def test_promises_hold_in_a_story(
    stack: Stack, database_template: str, seed: int, record_property: Record
) -> None:
    assert database_template
    told = Told()
    tell(stack, told, SeededDice(seed), seed=seed, steps=STEPS)
    record_property("steps", dict(told.steps))


@pytest.mark.timeout(120 + 60 * WANTED)
def test_promises_hold_whatever_is_drawn(
    stack: Stack, database_template: str, record_property: Record
) -> None:
    assert database_template
    told = Told()

    @DRAWN
    @given(data=st.data(), seed=st.integers(0, 3))
    def drawn(data: st.DataObject, seed: int) -> None:
        tell(stack, told, DrawnDice(data), seed=seed, steps=DRAWN_STEPS)

    drawn()
    record_property("steps", dict(told.steps))


def tell(stack: Stack, told: Told, dice: Dice, *, seed: int, steps: int) -> None:
    """Tell a story; fail with the promise that it broke."""
    servers = (stack.endpoints.database_url, stack.endpoints.redis_url)
    broken = asyncio.run(tell_one(servers, told, dice, seed=seed, steps=steps))
    if broken is not None:
        raise broken
