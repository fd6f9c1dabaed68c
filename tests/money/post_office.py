"""Holds the notices of every provider back: the story says when each arrives, and how often.

To the provider it looks like our endpoint: what verifies is answered as taken, what does not is
refused. What a network does to messages happens afterwards.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parking.payments.port import NoticeOutcome, NoticeRefusedError, PaymentProvider

LETTERS_MAX = 10_000
DISPUTE = b"dispute"


@dataclass(slots=True)
class Letter:
    """A notice as it came.

    Attributes:
        forged: Whether it did not verify when it came: a probe, or a stale one.
        deliveries: How often the story has delivered it.
    """

    provider: str
    headers: dict[str, str]
    body: bytes
    forged: bool
    deliveries: int = 0


@dataclass(slots=True)
class PostOffice:
    """Every notice so far, in the order in which they came; disputes are passed on at once."""

    providers: dict[str, PaymentProvider] = field(default_factory=dict[str, PaymentProvider])
    letters: list[Letter] = field(default_factory=list[Letter])
    forward: Callable[[Letter], Awaitable[httpx.Response]] | None = None

    @property
    def app(self) -> Starlette:
        """What providers post to."""
        return Starlette(routes=[Route("/callbacks/{provider}", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        name: str = request.path_params["provider"]
        provider = self.providers[name]
        headers, body = dict(request.headers), await request.body()
        if DISPUTE in body and self.forward is not None:
            # Nothing but this notice tells of it: what is not taken comes again until it is.
            passed_on = await self.forward(Letter(name, headers, body, forged=False))
            return Response(passed_on.content, passed_on.status_code)
        try:
            provider.verify_notices(headers, body)
            outcome = NoticeOutcome.TAKEN
        except NoticeRefusedError:
            outcome = NoticeOutcome.REFUSED
        assert len(self.letters) < LETTERS_MAX
        self.letters.append(Letter(name, headers, body, outcome is NoticeOutcome.REFUSED))
        reply = provider.notice_reply(outcome)
        return Response(reply.body, reply.status, media_type=reply.media_type)
