"""What every provider's callback owes whoever attacks it: a refusal, a line in the log, no more."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from tests.factories.api import ApiWorld

Post = Callable[[], Awaitable[object]]


class Town(Protocol):
    """A payment that a provider's notice would settle."""

    @property
    def api(self) -> ApiWorld:
        """The API and what is behind it."""
        ...

    @property
    def number(self) -> str:
        """The payment's, which no log may show."""
        ...

    async def standing(self) -> tuple[object, ...]:
        """Return everything that a notice could move."""
        ...


async def refuse_all(
    town: Town, provider: str, posts: Mapping[str, Post], refused: object, *secrets: str
) -> None:
    """Post everything; each is answered by `refused`, logged without its content, moves nothing."""
    before = await town.standing()
    with structlog.testing.capture_logs() as logs:
        for name, post in posts.items():
            assert await post() == refused, name
            assert await town.standing() == before, name
    found = [entry for entry in logs if entry["event"] == "notice.refused"]
    assert len(found) == len(posts)
    assert {entry["provider"] for entry in found} == {provider}
    for secret in (town.number, *secrets):
        assert secret not in repr(logs)
    assert (await town.api.http.get(f"/callbacks/{provider}")).status_code == 405
