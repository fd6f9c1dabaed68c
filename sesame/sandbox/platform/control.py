"""What a test or a demo asks the stand-in itself, on loopback only; not part of any wire."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sesame.sandbox.loopback import read_body, refuse_remote
from sesame.sandbox.platform.errors import NotFoundError
from sesame.sandbox.platform.parts import Platform
from sesame.sandbox.platform.scenarios import Rule
from sesame.sandbox.platform.shown import books_json
from sesame.sandbox.platform.store import Json

CONTROL_BYTES_MAX = 4096
AHEAD_S_MAX = 10 * 24 * 3600
_OBJECT: TypeAdapter[Json] = TypeAdapter(Json)


class _Wish(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Settings(_Wish):
    """Change how the stand-in runs; what is left out stays."""

    clear: Literal[True] | None = None
    notice_url: AnyHttpUrl | None = None
    notice_retry_ms: Annotated[int, Field(ge=1, le=60_000)] | None = None
    platform_key: Annotated[int, Field(ge=0)] | None = None
    day_closed: bool | None = None
    ahead_s: Annotated[int, Field(ge=0, le=AHEAD_S_MAX)] | None = None


class _Chargeback(_Wish):
    """Open a chargeback, or decide it."""

    number: str
    reason: Annotated[str, Field(min_length=1, max_length=64)] = "fraudulent"
    amount_minor: Annotated[int, Field(gt=0)] | None = None
    decision: Literal["won", "lost"] | None = None


class _Number(_Wish):
    """An order."""

    number: str


class _Reference(_Wish):
    """An agreement."""

    reference: str


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that `POST /_control` does at once: `{name: {...}}`.

    Attributes:
        model: What comes under the name.
        work: Does it. Raises ValueError or NotFoundError where it makes no sense.
    """

    name: str
    model: type[BaseModel]
    work: Callable[[Any], object]


def control_routes(platform: Platform, actions: Sequence[Action] = ()) -> list[Route]:
    """Return `POST /_control` and `GET /_books`.

    `_control` takes a rule (see `scenarios.Rule`); or settings: `clear` drops all rules,
    `notice_url` and `notice_retry_ms` say where and how soon notices go, `platform_key` is the
    position of the key that signs from now on, `day_closed` closes today's settlement, `ahead_s`
    sets the clock ahead; or an action: `chargeback`, `repay`, `cancel_agreement` and what the
    stand-in adds. It answers with the rules in force.
    """
    known = {action.name: action for action in (*_common_actions(platform), *actions)}

    async def control(request: Request) -> Response:
        body = await read_body(request, CONTROL_BYTES_MAX)
        if body is None:
            return JSONResponse({"code": "body_too_large"}, 413)
        try:
            _obey(platform, known, _OBJECT.validate_json(body))
        except ValidationError as error:
            problems = [f"{_place(item['loc'])}: {item['msg']}" for item in error.errors()]
            return JSONResponse({"code": "invalid_request", "problems": problems}, 400)
        except NotFoundError:
            return JSONResponse({"code": "not_found"}, 404)
        except ValueError as error:
            return JSONResponse({"code": "invalid_request", "problems": [str(error)]}, 400)
        platform.poke()
        rules = [rule.model_dump(mode="json") for rule in platform.script.rules()]
        return JSONResponse({"rules": rules})

    async def books(_request: Request) -> Response:
        platform.orders.settle_due()
        return JSONResponse(books_json(platform))

    return [
        Route("/_control", _loopback_only(control), methods=["POST"]),
        Route("/_books", _loopback_only(books), methods=["GET"]),
    ]


def _obey(platform: Platform, actions: dict[str, Action], wish: Json) -> None:
    names = [name for name in actions if name in wish]
    if names:
        if len(wish) > 1:
            raise ValueError(f"{names[0]}: expected alone")
        action = actions[names[0]]
        action.work(action.model.model_validate(wish[names[0]]))
    elif "scenario" in wish:
        platform.script.add(Rule.model_validate(wish))
    else:
        _apply(platform, _Settings.model_validate(wish))


def _common_actions(platform: Platform) -> tuple[Action, ...]:
    def dispute(wish: _Chargeback) -> None:
        if wish.decision is None:
            platform.chargebacks.open(
                wish.number, reason=wish.reason, amount_minor=wish.amount_minor
            )
        else:
            platform.chargebacks.resolve(wish.number, is_won=wish.decision == "won")

    def repay(wish: _Number) -> None:
        platform.orders.repay(wish.number)

    def cancel(wish: _Reference) -> None:
        platform.agreements.cancel(wish.reference)

    return (
        Action("chargeback", _Chargeback, dispute),
        Action("repay", _Number, repay),
        Action("cancel_agreement", _Reference, cancel),
    )


def _apply(platform: Platform, wish: _Settings) -> None:
    delivery = platform.delivery
    if wish.platform_key is not None:
        if wish.platform_key >= delivery.key_count:
            raise ValueError(f"platform_key: expected less than {delivery.key_count}")
        delivery.key_position = wish.platform_key
    if wish.clear:
        platform.script.clear()
        platform.is_day_closed = False
        platform.clock.ahead = timedelta(0)
    if wish.notice_url is not None:
        delivery.url = str(wish.notice_url)
    if wish.notice_retry_ms is not None:
        delivery.retry_ms = wish.notice_retry_ms
    if wish.day_closed is not None:
        platform.is_day_closed = wish.day_closed
    if wish.ahead_s is not None:
        platform.clock.ahead = timedelta(seconds=wish.ahead_s)


def _loopback_only(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        return refuse_remote(request) or await endpoint(request)

    return guarded


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)
