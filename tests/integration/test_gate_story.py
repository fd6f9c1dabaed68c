"""Stories of one lane: no wrong open and no lost event, whatever comes late, twice or never.

Set SESAME_GATE_STORIES to how many should be told besides those of the suite.
"""

import os

import pytest

from tests.integration.gate_story.telling import tell

SEEDS = range(16)
WANTED = int(os.environ.get("SESAME_GATE_STORIES", "0"))
FIRST = int(os.environ.get("SESAME_GATE_STORIES_FROM", "1000"))


@pytest.mark.parametrize("seed", [*SEEDS, *range(FIRST, FIRST + WANTED)])
def test_no_wrong_open_and_no_lost_event_in_a_story(seed: int) -> None:
    telling = tell(seed)
    assert telling.broken is None, str(telling)
