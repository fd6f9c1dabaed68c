"""One installation of real processes for all end-to-end tests: starting it takes a while."""

from collections.abc import AsyncGenerator

import pytest_asyncio

from tests.e2e.stage import Stage, open_stage
from tests.servers import throwaway_folder


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
