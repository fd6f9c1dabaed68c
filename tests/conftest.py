"""Real servers for the tests: one stack a session (and a worker), one database a test."""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from sesame.embedded.stack import Stack
from tests.servers import execute, remove_leftovers, throwaway_folder, valkey_client

VERSIONS_FOLDER: Final = Path(__file__).parents[1] / "migrations" / "versions"
TEMPLATE: Final = "sesame_template"


def migrate_template(url: str) -> None:
    """Bring the database that every test's database is a copy of to the newest schema."""
    if not any(VERSIONS_FOLDER.glob("*.py")):
        return
    # Imported here: a test that needs no database must not depend on the migrations.
    from sesame.commands.migrate import migrate  # noqa: PLC0415

    _run_apart(migrate(url))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:  # noqa: ANN401 - xdist's own
    """Share the tests out between the workers."""
    # Imported here: the tests run without pytest-xdist as well.
    from tests.scheduling import TogetherScheduling  # noqa: PLC0415

    return TogetherScheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how often each act came in the stories about money."""
    steps: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        steps.update(dict(report.user_properties).get("steps", {}))
    if steps:
        told = ", ".join(f"{act} {count}" for act, count in steps.most_common())
        terminalreporter.write_line(f"stories about money: {steps.total()} steps: {told}")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """PostgreSQL and Valkey of this test run, in memory where the machine allows it.

    SESAME_TEST_DATABASE_URL and SESAME_TEST_REDIS_URL name servers to use instead; they are
    emptied at will, which is why DATABASE_URL and REDIS_URL are not looked at.
    """
    remove_leftovers()
    names = ("DATABASE_URL", "REDIS_URL")
    settings = {name: os.environ.get(f"SESAME_TEST_{name}", "") for name in names}
    with (
        throwaway_folder() as root,
        Stack(root, durable=False, settings=settings) as running,
    ):
        yield running


@pytest.fixture
def postgres_url(stack: Stack) -> str:
    """The administrator's URL of the PostgreSQL server; its database is empty and stays so."""
    return stack.endpoints.database_url


@pytest.fixture
def valkey_url(stack: Stack) -> str:
    """The URL of an empty Valkey."""
    url = stack.endpoints.redis_url
    with valkey_client(url) as client:
        client.flushall()
    return url


@pytest.fixture(scope="session")
def database_template(stack: Stack) -> str:
    """The name of a migrated database that nobody is connected to."""
    url = stack.endpoints.database_url
    _run_apart(
        execute(
            url, f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)", f"CREATE DATABASE {TEMPLATE}"
        )
    )
    migrate_template(_database_of(url, TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def _database_numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def database_url(
    stack: Stack, database_template: str, _database_numbers: Iterator[int]
) -> Iterator[str]:
    """The URL of this test's own migrated database."""
    url = stack.endpoints.database_url
    name = f"sesame_test_{next(_database_numbers)}"
    _run_apart(
        execute(
            url,
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
            f"CREATE DATABASE {name} TEMPLATE {database_template}",
        )
    )
    yield _database_of(url, name)
    _run_apart(execute(url, f"DROP DATABASE {name} WITH (FORCE)"))


def _database_of(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


def _run_apart(work: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine in a thread: the event loop of the test stays as it is."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as failure:  # noqa: BLE001 - raised again in the test's thread
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
