"""What a test or a demo asks the stand-in itself, on loopback only; not part of the wire."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sesame.sandbox.acquirer.objects import Json, agreement_json, order_json
from sesame.sandbox.acquirer.scenarios import Rule
from sesame.sandbox.acquirer.signing import PlatformKey
from sesame.sandbox.acquirer.wire import Platform

ROWS_MAX = 10_000
CONTROL_BYTES_MAX = 4096


class _Settings(BaseModel):
    """Change how the stand-in runs; what is left out stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clear: Literal[True] | None = None
    notice_url: AnyHttpUrl | None = None
    notice_retry_ms: Annotated[int, Field(ge=1, le=60_000)] | None = None
    platform_key: Annotated[int, Field(ge=0)] | None = None


_CONTROL: TypeAdapter[Rule | _Settings] = TypeAdapter(Rule | _Settings)


def control_routes(platform: Platform, keys: list[PlatformKey]) -> list[Route]:
    """Return `POST /_control` and `GET /_books`.

    `_control` takes a rule (see `scenarios.Rule`), or settings: `clear` drops all rules,
    `notice_url` and `notice_retry_ms` say where and how soon notices go, `platform_key` is the
    position of the key that signs from now on. It answers with the rules in force.
    """

    async def control(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > CONTROL_BYTES_MAX:
                return JSONResponse({"code": "body_too_large"}, 413)
        try:
            wish = _CONTROL.validate_json(bytes(body))
            if isinstance(wish, Rule):
                platform.script.add(wish)
            else:
                _apply(platform, keys, wish)
        except ValidationError as error:
            problems = [f"{_place(item['loc'])}: {item['msg']}" for item in error.errors()]
            return JSONResponse({"code": "invalid_request", "problems": problems}, 400)
        except (IndexError, ValueError) as error:
            return JSONResponse({"code": "invalid_request", "problems": [str(error)]}, 400)
        platform.courier.poke()
        rules = [rule.model_dump(mode="json") for rule in platform.script.rules()]
        return JSONResponse({"rules": rules})

    async def books(_request: Request) -> Response:
        platform.books.settle_due()
        return JSONResponse(_books(platform))

    return [
        Route("/_control", _loopback_only(control), methods=["POST"]),
        Route("/_books", _loopback_only(books), methods=["GET"]),
    ]


def _apply(platform: Platform, keys: list[PlatformKey], wish: _Settings) -> None:
    delivery = platform.delivery
    if wish.platform_key is not None:
        delivery.key = keys[wish.platform_key]
    if wish.clear:
        platform.script.clear()
    if wish.notice_url is not None:
        delivery.url = str(wish.notice_url)
    if wish.notice_retry_ms is not None:
        delivery.retry_ms = wish.notice_retry_ms


def _books(platform: Platform) -> Json:
    store = platform.store
    orders = store.all("select * from orders order by created_ms, rowid limit ?", ROWS_MAX)
    agreements = store.all("select * from agreement order by created_ms, rowid limit ?", ROWS_MAX)
    return {
        "agreements": [{**agreement_json(row), "number": row["number"]} for row in agreements],
        "orders": [order_json(row) for row in orders if row["space"] == "order"],
        "refunds": [order_json(row) for row in orders if row["space"] == "refund"],
        "sums": _sums(platform),
        "notices": store.one(
            "select count(*) filter (where delivered_ms is not null) as delivered,"
            " count(*) filter (where due_ms is not null) as pending,"
            " count(*) filter (where due_ms is null and delivered_ms is null"
            " and manner != 'probe') as given_up,"
            " count(*) filter (where manner = 'probe' and attempts > 0) as probes,"
            " count(*) filter (where manner = 'probe' and last_status = 401) as probes_refused"
            " from notice"
        ),
    }


def _sums(platform: Platform) -> dict[str, Json]:
    # The sums are whole even where the lists above are cut.
    rows: list[dict[str, Any]] = platform.store.all(
        "select currency,"
        " coalesce(sum(amount_minor) filter (where space = 'order'), 0) as captured_minor,"
        " coalesce(sum(amount_minor) filter (where space = 'refund'), 0) as refunded_minor"
        " from orders where status = 'succeeded' group by currency order by currency"
    )
    return {
        row["currency"]: {
            "captured_minor": row["captured_minor"],
            "refunded_minor": row["refunded_minor"],
            "balance_minor": row["captured_minor"] - row["refunded_minor"],
        }
        for row in rows
    }


def _loopback_only(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        if request.client is None or not ip_address(request.client.host).is_loopback:
            return JSONResponse({"code": "loopback_only"}, 403)
        return await endpoint(request)

    return guarded


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)
