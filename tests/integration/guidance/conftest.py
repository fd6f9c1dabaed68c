from collections.abc import AsyncGenerator

import pytest

from tests.factories.api import ApiWorld, open_api


@pytest.fixture
async def api(database_url: str, valkey_url: str) -> AsyncGenerator[ApiWorld]:
    async with open_api(database_url, valkey_url) as opened:
        yield opened
