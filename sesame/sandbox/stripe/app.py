"""The stand-in as one ASGI application."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette

from parking.kit.clock import Clock
from sesame.sandbox.platform import (
    ORDER,
    RETRY_MS,
    Action,
    Json,
    PlatformOptions,
    create_app,
    open_platform,
)
from sesame.sandbox.stripe.account import Account
from sesame.sandbox.stripe.cards import save_card
from sesame.sandbox.stripe.notices import StripeEvents
from sesame.sandbox.stripe.payments import return_refund
from sesame.sandbox.stripe.things import Things
from sesame.sandbox.stripe.wire import wire_routes

# The first secret alone, or all of them.
SIGNING_MANNERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run the stand-in.

    Attributes:
        data: The SQLite file; made if it is not there.
        secret_key: The merchant's bearer key, `sk_test_…`.
        webhook_secrets: `whsec_…`; `platform_key` 1 of the control signs with all of them.
        public_url: Where payers reach the pages, without a slash at the end.
        notice_url: Where events go; without it they wait.
        connected: Play for this connected account.
    """

    data: Path
    secret_key: str
    webhook_secrets: tuple[str, ...]
    public_url: str
    notice_url: str | None = None
    notice_retry_ms: int = RETRY_MS
    connected: str | None = None


class _Number(BaseModel):
    """A refund."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str


class _Nothing(BaseModel):
    """No more to say."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Inquiry(BaseModel):
    """A question of the payer's bank about an order; no money moves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str
    reason: Annotated[str, Field(max_length=64)] = "general"


def create_stand_in(options: Options, clock: Clock) -> Starlette:
    """Return the stand-in; a restart on the same file goes on where the last one stopped.

    `POST /_control` also takes `return_refund` (a refund that had succeeded fails later),
    `forget_keys` (a day passes for idempotency keys) and `inquiry` (a bank asks, and takes
    nothing). `unknown` with failure code `nothing_done` is a defect before anything was done.

    Raises:
        ValueError: the file is of another version.
    """
    platform = open_platform(
        PlatformOptions(
            name="stripe",
            data=options.data,
            public_url=options.public_url,
            title="Stripe",
            notice_url=options.notice_url,
            notice_retry_ms=options.notice_retry_ms,
            key_count=SIGNING_MANNERS,
        ),
        clock,
    )
    account = Account(
        platform=platform,
        things=Things(platform.store),
        secret_key=options.secret_key,
        webhook_secrets=options.webhook_secrets,
        connected=options.connected,
    )

    def saved(row: Json) -> Json:
        return save_card(account, row)

    return create_app(
        platform,
        StripeEvents(account),
        routes=wire_routes(account),
        actions=_actions(account),
        confirmed=saved,
    )


def _actions(account: Account) -> tuple[Action, ...]:
    def returned(wish: _Number) -> None:
        return_refund(account, wish.number)

    def forget(_wish: _Nothing) -> None:
        account.things.forget_keys()

    def inquire(wish: _Inquiry) -> None:
        order = account.platform.orders.get(ORDER, wish.number)
        row: Json = {
            "reference": f"cbk_inquiry_{order['reference']}",
            "amount_minor": order["amount_minor"],
            "created_ms": account.platform.now_ms(),
            "currency": order["currency"],
            "reason": wish.reason,
            "status": "opened",
        }
        account.platform.notices.add("inquiry.opened", {**row, "order": order})

    return (
        Action("return_refund", _Number, returned),
        Action("forget_keys", _Nothing, forget),
        Action("inquiry", _Inquiry, inquire),
    )
