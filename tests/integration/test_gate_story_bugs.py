"""Bugs put into the agent on purpose: an ordinary story must find every one."""

import pytest

from tests.integration.gate_story.bugs import BUGS, Bug, spoilt
from tests.integration.gate_story.telling import STEPS, tell
from tests.integration.test_gate_story import SEEDS


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_bug_is_found(bug: Bug) -> None:
    # The seed that found it when it was written comes first; every other one may find it.
    seeds = sorted(SEEDS, key=lambda seed: (seed != bug.seed, seed))
    with spoilt(bug):
        assert any(tell(seed, STEPS).broken for seed in seeds), f"nothing found {bug.name}"
