"""Stories of one lane: no wrong open and no lost event, whatever comes late, twice or never.

Set SESAME_GATE_STORIES to how many should be told besides those of the suite.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.gate_story.telling import tell

SEEDS = range(16)
WANTED = int(os.environ.get("SESAME_GATE_STORIES", "0"))
ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60
FIRST = int(os.environ.get("SESAME_GATE_STORIES_FROM", "1000"))


@pytest.mark.parametrize("seed", [*SEEDS, *range(FIRST, FIRST + WANTED)])
def test_no_wrong_open_and_no_lost_event_in_a_story(seed: int) -> None:
    telling = tell(seed)
    assert telling.broken is None, str(telling)


def test_a_seed_is_the_same_story_in_every_process() -> None:
    # Another process has other hashes and ids, and is as slow as it likes.
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.integration.gate_story.tell",
            "--first",
            "3",
            "--stories",
            "1",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert str(tell(3)) in done.stdout
