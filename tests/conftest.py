"""Real servers for the tests: one stack a session (and a worker), one database a test."""

import gc
import os
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

from sesame.embedded.stack import Stack
from tests.servers import Administrator, execute, remove_leftovers, throwaway_folder, valkey_client

TEMPLATE: Final = "sesame_template"
YOUNG_OBJECTS_MAX: Final = 20_000

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("sesame", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sesame")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:  # noqa: ANN401 - xdist's own
    """Share the tests out between the workers."""
    # Imported here: the tests run without pytest-xdist as well.
    from tests.scheduling import TogetherScheduling  # noqa: PLC0415

    return TogetherScheduling(config, log)


def pytest_sessionstart() -> None:
    """Spare the garbage collector what lives to the end: every module and every test."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Let it look at what comes now."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(YOUNG_OBJECTS_MAX)


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


@pytest.fixture(scope="session")
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
def administrator(postgres_url: str) -> Iterator[Administrator]:
    """Whoever makes and drops databases."""
    with Administrator(postgres_url) as connected:
        yield connected


@pytest.fixture(scope="session")
def database_template(administrator: Administrator) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    # Imported here: a test that needs no database must not depend on the migrations.
    from parking.kit import database  # noqa: PLC0415
    from sesame.commands.migrate import migrate  # noqa: PLC0415
    from tests.compiled_once import CompiledOnce  # noqa: PLC0415

    administrator.execute(
        f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)", f"CREATE DATABASE {TEMPLATE}"
    )
    url = administrator.url_of(TEMPLATE)
    administrator.wait_for(migrate(url))
    # Whoever connects first writes the catalog's cache, which the copies inherit.
    administrator.wait_for(execute(url))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "create_async_engine", CompiledOnce(database.create_async_engine))
        yield TEMPLATE


@pytest.fixture(scope="session")
def _database_numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def database_url(
    administrator: Administrator, database_template: str, _database_numbers: Iterator[int]
) -> Iterator[str]:
    """The URL of this test's own migrated database."""
    name = f"sesame_test_{next(_database_numbers)}"
    administrator.execute(
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
        # Three times faster than through the log, which is for templates of gigabytes.
        f"CREATE DATABASE {name} TEMPLATE {database_template} STRATEGY file_copy",
    )
    yield administrator.url_of(name)
    administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
