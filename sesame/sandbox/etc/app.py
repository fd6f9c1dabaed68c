"""The ETC stand-in as one ASGI application."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette

from parking.kit.clock import Clock
from sesame.sandbox.etc.notices import EtcNotices
from sesame.sandbox.etc.roadside import NORMAL_CARD, Roadside
from sesame.sandbox.etc.signing import (
    EtcKey,
    fingerprint,
    load_etc_merchant_key,
    new_etc_private_pem,
)
from sesame.sandbox.etc.wire import Etc, wire_routes
from sesame.sandbox.platform import (
    RETRY_MS,
    Action,
    Json,
    PlatformOptions,
    create_app,
    open_platform,
)

PLATFORM_KEYS = 2
SEEN_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcOptions:
    """How to run the stand-in.

    Attributes:
        data: The SQLite file; made if it is not there.
        merchant: The merchant's name on the wire.
        merchant_keys_pem: Its Ed25519 public keys, one PEM each.
        public_url: Where payers reach the pages, without a slash at the end.
        notice_url: Where notices go; without it they wait.
        sees_everything: Every antenna sees every unit, so that no car has to be put under one.
    """

    data: Path
    merchant: str
    merchant_keys_pem: tuple[bytes, ...]
    public_url: str
    notice_url: str | None = None
    notice_retry_ms: int = RETRY_MS
    sees_everything: bool = False


@dataclass(frozen=True, slots=True)
class EtcStandIn:
    """The application, and what a merchant has to know to use it."""

    app: Starlette
    platform_keys_pem: str
    platform_key_ids: tuple[str, ...]


class _Sight(BaseModel):
    """What an antenna sees from now on: the names of units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=64)]
    sees: Annotated[list[str], Field(max_length=SEEN_MAX)]


class _Card(BaseModel):
    """How a unit's card stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    obu: Annotated[str, Field(min_length=1, max_length=64)]
    status: Literal["normal", "blacklisted"] = NORMAL_CARD
    balance_minor: Annotated[int, Field(ge=0)] | None = None


def create_etc_stand_in(options: EtcOptions, clock: Clock) -> EtcStandIn:
    """Return the stand-in; a restart on the same file goes on where the last one stopped.

    `_control` also takes `{"antenna": {"id": ..., "sees": [...]}}` (`*` stands for any antenna
    or any unit) and `{"card": {"obu": ..., "status": ..., "balance_minor": ...}}`.

    Raises:
        ValueError: a merchant key is not an Ed25519 one, or the file is of another version.
    """
    merchant_keys = [load_etc_merchant_key(pem) for pem in options.merchant_keys_pem]
    platform = open_platform(
        PlatformOptions(
            data=options.data,
            public_url=options.public_url,
            notice_url=options.notice_url,
            notice_retry_ms=options.notice_retry_ms,
            key_count=PLATFORM_KEYS,
        ),
        clock,
    )
    keys = tuple(
        EtcKey(platform.store.secret(f"platform_key_{position}", new_etc_private_pem))
        for position in range(PLATFORM_KEYS)
    )
    roadside = Roadside(platform)
    if options.sees_everything:
        roadside.see("*", ["*"])
    etc = Etc(
        platform=platform,
        roadside=roadside,
        merchant=options.merchant,
        keys=keys,
        merchant_keys={fingerprint(key): key for key in merchant_keys},
    )
    app = create_app(
        platform,
        EtcNotices(etc),
        routes=wire_routes(etc),
        actions=_actions(roadside),
        confirmed=_unit_of,
    )
    return EtcStandIn(
        app=app,
        platform_keys_pem="".join(key.public_pem() for key in keys),
        platform_key_ids=tuple(key.key_id for key in keys),
    )


def obu_of(plate: str) -> str:
    """Return the unit that the acquirer's register has for a car."""
    return f"OBU{hashlib.sha256(plate.encode()).hexdigest()[:13].upper()}"


def _unit_of(contract: Json) -> Json:
    return {"obu": obu_of(contract["extra"]["plate"])}


def _actions(roadside: Roadside) -> tuple[Action, ...]:
    def sight(wish: _Sight) -> None:
        roadside.see(wish.id, wish.sees)

    def card(wish: _Card) -> None:
        roadside.set_card(wish.obu, wish.status, wish.balance_minor)

    return (Action("antenna", _Sight, sight), Action("card", _Card, card))
