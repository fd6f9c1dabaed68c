"""The ETC stand-in as one ASGI application."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from parking.kit.clock import Clock
from sesame.sandbox import signed_wire
from sesame.sandbox.etc.notices import describe
from sesame.sandbox.etc.roadside import NORMAL_CARD, Roadside
from sesame.sandbox.etc.signing import SCHEME
from sesame.sandbox.etc.wire import wire_routes
from sesame.sandbox.platform import Action, Json, create_app
from sesame.sandbox.signed_wire import SignedNotices, StandIn, open_wire, stand_in

SEEN_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(signed_wire.Options):
    """How to run the stand-in.

    Attributes:
        sees_everything: Every antenna sees every unit, so that no car has to be put under one.
    """

    sees_everything: bool = False


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


def create_stand_in(options: Options, clock: Clock) -> StandIn:
    """Return the stand-in; see `open_wire`.

    `_control` also takes `{"antenna": {"id": ..., "sees": [...]}}` (`*` stands for any antenna
    or any unit) and `{"card": {"obu": ..., "status": ..., "balance_minor": ...}}`.
    """
    wire = open_wire(options, SCHEME, "contract", clock)
    roadside = Roadside(wire.platform)
    if options.sees_everything:
        roadside.see("*", ["*"])
    app = create_app(
        wire.platform,
        SignedNotices(wire, describe),
        routes=wire_routes(wire, roadside),
        actions=_actions(roadside),
        confirmed=_unit_of,
    )
    return stand_in(wire, app)


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
