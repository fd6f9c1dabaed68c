"""Tells stories until one breaks a promise: `python -m tests.money.tell --help`.

For the seeded bugs, which run it on changed code, and for people who want longer stories than the
test suite has time for.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from parking.flows.payments import charging
from sesame.embedded.stack import Stack
from tests.money.dice import Dice, SeededDice
from tests.money.invariants import BrokenPromiseError
from tests.money.story import Story, Told, providers_of
from tests.money.town import open_town
from tests.servers import execute, throwaway_folder

TEMPLATE = "sesame_template"


async def tell_one(
    servers: tuple[str, str],
    told: Told,
    dice: Dice,
    *,
    seed: int,
    steps: int,
    favoured: frozenset[str] = frozenset(),
) -> BrokenPromiseError | None:
    """Tell one story on a copy of the template; returns the promise that it broke.

    Args:
        servers: PostgreSQL's and Valkey's URL.
        told: Counts what happened.
        dice: What decides the story.
        seed: Which providers there are.
        steps: How long it is.
        favoured: Names of acts that are to come more often.
    """
    postgres_url, valkey_url = servers
    name = f"sesame_story_{time.monotonic_ns()}"
    await execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    url = f"{postgres_url.rpartition('/')[0]}/{name}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with open_town(url, valkey_url, Path(folder), providers_of(seed)) as town:
                await Story(town, dice, told, favoured).tell(steps)
    except BrokenPromiseError as error:
        return error
    finally:
        await execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")
    return None


async def tell_many(
    servers: tuple[str, str],
    told: Told,
    *,
    first: int,
    stories: int,
    steps: int,
    favoured: frozenset[str],
) -> tuple[int, BrokenPromiseError] | None:
    """Tell stories by their seeds; returns the first one that broke a promise."""
    for seed in range(first, first + stories):
        dice = SeededDice(seed)
        broken = await tell_one(servers, told, dice, seed=seed, steps=steps, favoured=favoured)
        if broken is not None:
            return seed, broken
    return None


def main() -> None:
    """Print what happened as one JSON object; end with 3 where a promise was broken."""
    parser = argparse.ArgumentParser(description="Directed stories about money.")
    parser.add_argument("--first", type=int, default=0, help="The first seed.")
    parser.add_argument("--stories", type=int, default=20, help="How many seeds.")
    parser.add_argument("--steps", type=int, default=80, help="How long each story is.")
    parser.add_argument(
        "--favour", action="append", default=[], help="An act to see more often; may be repeated."
    )
    parser.add_argument("--postgres", help="A server with the template; else one is started.")
    parser.add_argument("--valkey", help="Beside --postgres.")
    options = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    charging.QUERY_PAUSES_S = (0,)
    told = Told()
    plan: dict[str, Any] = {
        "first": options.first,
        "stories": options.stories,
        "steps": options.steps,
        "favoured": frozenset(options.favour),
    }
    if options.postgres is None:
        with throwaway_folder() as root, Stack(root, durable=False, settings={}) as stack:
            asyncio.run(_prepare(stack.endpoints.database_url))
            servers = (stack.endpoints.database_url, stack.endpoints.redis_url)
            found = asyncio.run(tell_many(servers, told, **plan))
    else:
        found = asyncio.run(tell_many((options.postgres, options.valkey), told, **plan))
    seed, broken = found or (None, None)
    report = {
        "promise": None if broken is None else broken.number,
        "what": None if broken is None else str(broken),
        "seed": seed,
        "told": str(told),
    }
    print(json.dumps(report, ensure_ascii=False))  # noqa: T201 - the report of a command
    sys.exit(0 if found is None else 3)


async def _prepare(postgres_url: str) -> None:
    # Imported here: where the database is given it is migrated already.
    from sesame.commands.migrate import migrate  # noqa: PLC0415

    await execute(postgres_url, f"CREATE DATABASE {TEMPLATE}")
    await migrate(f"{postgres_url.rpartition('/')[0]}/{TEMPLATE}")


if __name__ == "__main__":
    main()
