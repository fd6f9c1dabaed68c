"""Tells stories of a lane: `python -m tests.integration.gate_story.tell --help`."""

import argparse
import sys

from tests.integration.gate_story.telling import STEPS, tell

BROKEN = 3


def main() -> None:
    """Print the first story that breaks, or that there was none; end with 3 for one."""
    parser = argparse.ArgumentParser(description="Stories of one lane.")
    parser.add_argument("--first", type=int, default=0, help="The first seed.")
    parser.add_argument("--stories", type=int, default=16, help="How many seeds.")
    parser.add_argument("--steps", type=int, default=STEPS, help="How long each story is.")
    parser.add_argument(
        "--favour", action="append", default=[], help="An act to see more often; may be repeated."
    )
    parser.add_argument("--on", action="store_true", help="Go on after a story that breaks.")
    options = parser.parse_args()
    broken = 0
    for seed in range(options.first, options.first + options.stories):
        telling = tell(seed, options.steps, frozenset(options.favour))
        broken += telling.broken is not None
        if telling.broken is not None or options.stories == 1:
            _say(str(telling))
        if telling.broken is not None and not options.on:
            break
    _say(f"{broken} stories are broken" if broken else "all was well")
    sys.exit(BROKEN if broken else 0)


def _say(what: str) -> None:
    print(what, flush=True)  # noqa: T201 - the report of a command


if __name__ == "__main__":
    main()
