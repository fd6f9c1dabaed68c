"""One installation of real processes for all end-to-end tests: starting it takes a while."""

from collections.abc import AsyncGenerator, Generator

import pytest
import pytest_asyncio

from tests.e2e.stage import Stage, open_stage
from tests.servers import throwaway_folder

LOG_LINES: int = 15


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def running_stage() -> AsyncGenerator[Stage]:
    """Everything, until the last test of this folder has ended."""
    with throwaway_folder() as data:
        async with open_stage(data) as stage:
            yield stage


@pytest_asyncio.fixture(loop_scope="package")
async def stage(running_stage: Stage) -> Stage:
    """The same, with every process up and every lane empty."""
    await running_stage.recover()
    return running_stage


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes wrote last when a test fails: their folder does not stay."""
    report = yield
    stage = getattr(item, "funcargs", {}).get("stage")
    if report.failed and isinstance(stage, Stage):
        for log in sorted(stage.town.stack.folder.logs().glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            report.sections.append((log.name, "\n".join(lines[-LOG_LINES:])))
    return report
