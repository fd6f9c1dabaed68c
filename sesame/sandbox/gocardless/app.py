"""The GoCardless stand-in as one ASGI application."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette

from parking.kit.clock import Clock
from sesame.sandbox.gocardless.api import GoCardless
from sesame.sandbox.gocardless.days import DAYS_MAX, pass_day
from sesame.sandbox.gocardless.notices import GoCardlessWebhooks
from sesame.sandbox.gocardless.wire import wire_routes
from sesame.sandbox.platform import (
    RETRY_MS,
    Action,
    Json,
    Platform,
    PlatformOptions,
    create_app,
    open_platform,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run the stand-in.

    Attributes:
        data: The SQLite file; made if it is not there.
        access_token: What opens the API.
        webhook_secret: What signs events.
        public_url: Where payers reach the pages, without a slash at the end.
        notice_url: Where events go; without it they wait.
    """

    data: Path
    access_token: str
    webhook_secret: str
    public_url: str
    notice_url: str | None = None
    notice_retry_ms: int = RETRY_MS


class _Days(BaseModel):
    """How many working days pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Annotated[int, Field(ge=1, le=DAYS_MAX)]


def create_stand_in(options: Options, clock: Clock) -> Starlette:
    """Return the stand-in; a restart on the same file goes on where the last one stopped.

    `_control` also takes `{"days": {"count": 3}}`: so many working days pass for every mandate,
    payment and refund. A chargeback whose reason is `late_failure` is told as such a failure,
    before the payout as a plain one: GoCardless settles nothing then.

    Raises:
        InvalidInputError: the file is of another stand-in, or of another version.
    """
    platform = open_platform(
        PlatformOptions(
            name="gocardless",
            data=options.data,
            public_url=options.public_url,
            title="GoCardless",
            notice_url=options.notice_url,
            notice_retry_ms=options.notice_retry_ms,
        ),
        clock,
    )
    gocardless = GoCardless(platform=platform, access_token=options.access_token)
    return create_app(
        platform,
        GoCardlessWebhooks(options.webhook_secret),
        routes=wire_routes(gocardless),
        actions=(_days_action(platform),),
        confirmed=_mandate_of,
    )


def _mandate_of(_agreement: Json) -> Json:
    return {"mandate": f"MD{secrets.token_hex(8).upper()}"}


def _days_action(platform: Platform) -> Action:
    def work(wish: _Days) -> None:
        for _ in range(wish.count):
            pass_day(platform)

    return Action("days", _Days, work)
