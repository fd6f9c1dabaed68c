"""One call's turn under the rules: what it plays, and how its answer leaves."""

import asyncio
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sesame.sandbox.platform.outcomes import Outcome, manner_of, outcome_of
from sesame.sandbox.platform.scenarios import Rule, Scenario


class BrokenConnection(Response):
    """An answer of which nothing useful arrives."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Promise a body that never comes, so that the server drops the connection."""
        del scope, receive
        headers = [(b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


@dataclass(frozen=True, slots=True)
class Turn:
    """What one call plays."""

    rule: Rule | None = None

    @property
    def scenario(self) -> Scenario | None:
        """Return what is played; `None` for good behaviour."""
        return self.rule.scenario if self.rule else None

    @property
    def is_lost_before(self) -> bool:
        """Whether the connection breaks before anything is done."""
        return self.scenario is Scenario.LOSE_ANSWER_BEFORE

    @property
    def outcome(self) -> Outcome:
        """Return how a new order turns out."""
        return outcome_of(self.rule)

    @property
    def manner(self) -> str:
        """Return how notices are delivered."""
        return manner_of(self.rule)

    def shown_minor(self, amount_minor: int) -> int:
        """Return the amount that the answer names."""
        return amount_minor + 1 if self.scenario is Scenario.WRONG_AMOUNT else amount_minor

    async def finish(self, answer: Response) -> Response:
        """Return the answer late, broken, or as it is."""
        if self.rule and self.scenario is Scenario.DELAY:
            await asyncio.sleep(self.rule.delay_ms / 1000)
        return BrokenConnection() if self.scenario is Scenario.LOSE_ANSWER_AFTER else answer
