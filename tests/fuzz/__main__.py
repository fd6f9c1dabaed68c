"""Bad input by schemathesis against what production serves: `make fuzz`, `ARGS="--minutes 1"`.

Any 5xx, any masked defect and anything of our insides in an answer is a finding: it is printed, and
the command ends with 1. Needs the packages of requirements/fuzz.txt.
"""

import argparse
import asyncio
import json
import logging
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from api.global_ids import encode_id
from sesame.commands.migrate import migrate
from sesame.embedded.stack import Stack
from tests.factories.api import ApiWorld, open_api, serve
from tests.factories.lane_world import PLATE
from tests.servers import throwaway_folder

ROOT: Final = Path(__file__).parents[2]
MINUTES: Final = 10.0
EXAMPLES_AT_ONCE: Final = 15
FINDINGS_MAX: Final = 20
TOLD_MAX: Final = 600
SIGN_IN_TIMEOUT_S: Final = 30
SERVER_ERROR: Final = 500
_CODE: Final = re.compile(r'"code":"([A-Z_]+)"')
LEAKS: Final = (
    "Traceback",
    'File "',
    "site-packages",
    "sqlalchemy",
    "asyncpg",
    "psycopg",
    "SELECT ",
    "INSERT INTO",
    "UPDATE ",
    str(ROOT),
    '"code":"INTERNAL"',
)


@dataclass(frozen=True, slots=True)
class Target:
    """One schema, where it is served, and for whom."""

    name: str
    file: Path
    url: str
    sign_in: Callable[[], str]


@dataclass
class Found:
    """What was sent, and what was wrong with an answer."""

    answers: Counter[str] = field(default_factory=Counter[str])
    findings: list[str] = field(default_factory=list[str])

    def look(self, name: str, response: Any, sent: object) -> None:  # noqa: ANN401 - schemathesis'
        """Judge one answer."""
        text: str = response.text
        self.answers[f"{name.partition(' ')[0]} {response.status_code} {_code(text)}"] += 1
        leaks = [leak for leak in LEAKS if leak in text and leak not in str(sent)]
        if response.status_code >= SERVER_ERROR or leaks:
            finding = f"{name}: {response.status_code} {leaks} {text[:TOLD_MAX]}\n  {sent}"
            if len(self.findings) < FINDINGS_MAX:
                self.findings.append(finding[: 4 * TOLD_MAX])


def _code(text: str) -> str:
    found = _CODE.search(text)
    if found is not None:
        return found.group(1)
    return "answered" if '"data":' in text else "not executed"


def main() -> None:
    """Fuzz for the time that is given, and report."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=None, help="repeats what was sent")
    options = parser.parse_args()
    chosen: int = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    logging.disable(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    found = Found()
    with throwaway_folder() as root, Stack(root, durable=False, settings={}) as stack:
        asyncio.run(migrate(stack.endpoints.database_url))
        urls = stack.endpoints.database_url, stack.endpoints.redis_url
        asyncio.run(
            _fuzz(*urls, found, until_s=time.monotonic() + 60 * options.minutes, start=chosen)
        )
    report = {"seed": chosen, "answers": found.answers, "findings": found.findings}
    print(json.dumps(report, ensure_ascii=False, indent=1))  # noqa: T201 - the report of a command
    sys.exit(1 if found.findings else 0)


async def _fuzz(
    database_url: str, valkey_url: str, found: Found, *, until_s: float, start: int
) -> None:
    async with open_api(database_url, valkey_url) as api, serve(api.app) as address:
        driver_id = await api.lanes.add_driver(PLATE)
        session_id = await api.lanes.drive_in(PLATE)
        staff, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
        _register_scalars(_ids(api, driver_id, session_id))
        loop = asyncio.get_running_loop()

        def sign_in() -> str:
            # Anew each time: what is sent may sign the driver out.
            signing_in = asyncio.run_coroutine_threadsafe(api.token_of(driver_id), loop)
            return signing_in.result(SIGN_IN_TIMEOUT_S)

        targets = [
            Target("driver", ROOT / "schema.graphql", f"http://{address}/graphql", sign_in),
            Target(
                "staff", ROOT / "staff.graphql", f"http://{address}/staff/graphql", lambda: staff
            ),
        ]
        await asyncio.to_thread(_send_until, targets, found, until_s, start)


def _ids(api: ApiWorld, driver_id: Any, session_id: Any) -> list[str]:  # noqa: ANN401 - UUIDs
    lane = api.lanes.entry
    return [
        encode_id("Viewer", driver_id),
        encode_id("Session", session_id),
        encode_id("Place", lane.operator_id, lane.place_id),
        encode_id("AccessLane", lane.operator_id, lane.lane_id),
    ]


def _register_scalars(ids: list[str]) -> None:
    schemathesis: Any = import_module("schemathesis")
    nodes: Any = import_module("hypothesis_graphql.nodes")
    odd = st.sampled_from(
        ["", "x", "a\x00b", "\u202e" * 50, "-1", "9" * 40, "2026-13-45T99:99:99Z"]
    )
    times = st.datetimes().map(lambda at: at.isoformat() + "Z")
    for name, strategy in {
        "ID": st.sampled_from(ids) | st.text(max_size=60),
        "Date": st.dates().map(str) | odd,
        "DateTime": times | odd,
        "Time": st.times().map(str) | odd,
        "JSON": st.text(max_size=60) | odd,
        "MinorUnits": st.integers().map(str),
    }.items():
        schemathesis.graphql.scalar(name, strategy.map(nodes.String))


def _send_until(targets: list[Target], found: Found, until_s: float, start: int) -> None:
    schemathesis: Any = import_module("schemathesis")
    operations: list[tuple[Target, Any]] = []
    for target in targets:
        loaded = schemathesis.graphql.from_path(target.file)
        loaded.config.update(base_url=target.url)
        operations += [(target, each.ok()) for each in loaded.get_all_operations()]
    random.Random(start).shuffle(operations)  # noqa: S311 - so that a short run sees all kinds
    for number in _numbers(until_s, found):
        target, operation = operations[number % len(operations)]
        name = f"{target.name} {operation.label}"
        _send_some(name, operation, target.sign_in(), found)(start + number)


def _numbers(until_s: float, found: Found) -> Iterator[int]:
    number = 0
    while time.monotonic() < until_s and len(found.findings) < FINDINGS_MAX:
        yield number
        number += 1


def _send_some(name: str, operation: Any, token: str, found: Found) -> Callable[[int], None]:  # noqa: ANN401
    def send_all(start: int) -> None:
        @seed(start)
        @settings(
            max_examples=EXAMPLES_AT_ONCE,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:  # noqa: ANN401
            response = case.call(headers={"authorization": f"Bearer {token}"})
            found.look(name, response, case.body)

        send()

    return send_all


if __name__ == "__main__":
    main()
