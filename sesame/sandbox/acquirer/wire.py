"""The signed calls: refuse, carry out, sign the answer, or play that something went wrong."""

import asyncio
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sesame.sandbox.acquirer.books import (
    PAGE_LIFETIME_MS,
    Books,
    NotFoundError,
    NumberConflictError,
)
from sesame.sandbox.acquirer.calls import (
    AgreementCall,
    Call,
    ChargeCall,
    CheckoutCall,
    EmptyCall,
    RefundCall,
)
from sesame.sandbox.acquirer.notices import Courier, Delivery
from sesame.sandbox.acquirer.objects import (
    Json,
    agreement_json,
    instant,
    manner_of,
    order_json,
    outcome_of,
)
from sesame.sandbox.acquirer.scenarios import Operation, Rule, Scenario, Script
from sesame.sandbox.acquirer.signing import (
    CallRefusedError,
    check_request,
    read_credentials,
    spoil,
)
from sesame.sandbox.acquirer.store import Store

BODY_BYTES_MAX = 16 * 1024
_NUMBER = re.compile(r"[0-9A-Za-z]{1,32}")


class _WireError(Exception):
    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message}
        if field:
            self.body["field"] = field


class _BrokenConnection(Response):
    """An answer of which nothing useful arrives."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        # A promised body that never comes makes the server drop the connection.
        headers = [(b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that a call needs."""

    store: Store
    books: Books
    courier: Courier
    delivery: Delivery
    script: Script
    merchant_keys: dict[str, RSAPublicKey]
    public_url: str


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One call: what its body is, and what is done with it."""

    operation: Operation
    body: type[Call] | None
    work: Callable[[Platform, Request, Json, Rule | None], Json]


def wire_routes(platform: Platform) -> list[Route]:
    """Return the routes of part 3."""

    def route(path: str, **endpoints: _Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            return await _answer(platform, request, endpoints[request.method.lower()])

        return Route(path, answer, methods=[method.upper() for method in endpoints])

    query = Operation.QUERY
    return [
        route("/v1/agreements", post=_Endpoint(Operation.AGREEMENT, AgreementCall, _start)),
        route("/v1/agreements/{reference}", get=_Endpoint(query, None, _agreement)),
        route(
            "/v1/agreements/{reference}/cancel",
            post=_Endpoint(Operation.CANCEL, EmptyCall, _cancel),
        ),
        route("/v1/charges", post=_Endpoint(Operation.CHARGE, ChargeCall, _charge)),
        route("/v1/charges/{number}", get=_Endpoint(query, None, _order)),
        route("/v1/charges/{number}/close", post=_Endpoint(Operation.CLOSE, EmptyCall, _close)),
        route("/v1/checkouts", post=_Endpoint(Operation.CHECKOUT, CheckoutCall, _checkout)),
        route("/v1/refunds", post=_Endpoint(Operation.REFUND, RefundCall, _refund)),
        route("/v1/refunds/{number}", get=_Endpoint(query, None, _refund_state)),
    ]


async def _answer(platform: Platform, request: Request, endpoint: _Endpoint) -> Response:
    nonce, rule = "", None
    try:
        body = await _read(request)
        nonce = _authenticate(platform, request, body)
        asked = _parse(endpoint.body, body)
        rule = platform.script.take(endpoint.operation, asked.get("agreement"))
        if rule and rule.scenario is Scenario.LOSE_ANSWER_BEFORE:
            return _BrokenConnection()
        platform.books.settle_due()
        status, content = 200, endpoint.work(platform, request, asked, rule)
        platform.courier.poke()
    except CallRefusedError as error:
        nonce, status = error.nonce, 401
        content = {"code": error.code, "message": "the request was not accepted as yours"}
    except _WireError as error:
        status, content = error.status, error.body
    except NotFoundError:
        status, content = 404, {"code": "not_found", "message": "no such thing"}
    except NumberConflictError:
        message = "this number belongs to another order"
        status, content = 409, {"code": "number_conflict", "message": message, "field": "number"}
    return await _play(platform, rule, nonce, status, content)


async def _play(
    platform: Platform, rule: Rule | None, nonce: str, status: int, content: Json
) -> Response:
    scenario = rule.scenario if rule else None
    if rule and scenario is Scenario.DELAY:
        await asyncio.sleep(rule.delay_ms / 1000)
    if scenario is Scenario.LOSE_ANSWER_AFTER:
        return _BrokenConnection()
    if scenario is Scenario.UNKNOWN:
        status, content = 500, {"code": "system_error", "message": "ask for the order"}
    if scenario is Scenario.WRONG_AMOUNT and content.get("amount_minor"):
        content = {**content, "amount_minor": content["amount_minor"] + 1}
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    stamp = (platform.books.now_ms() // 1000, secrets.token_hex(16))
    delivery = platform.delivery
    header = delivery.key.answer_header(delivery.merchant, status, nonce, stamp, body)
    if scenario is Scenario.BAD_ANSWER_SIGNATURE:
        header = spoil(header)
    return Response(
        body, status, headers={"Sesame-Signature": header}, media_type="application/json"
    )


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            message = f"a body has at most {BODY_BYTES_MAX} bytes"
            raise _WireError(413, "body_too_large", message)
    return bytes(body)


def _authenticate(platform: Platform, request: Request, body: bytes) -> str:
    claimed = read_credentials(request.headers.get("authorization"))
    key = platform.merchant_keys.get(claimed.key)
    if key is None or claimed.merchant != platform.delivery.merchant:
        raise CallRefusedError("signature_refused", claimed.nonce)
    target: bytes = request.scope["raw_path"]
    if request.scope["query_string"]:
        target += b"?" + request.scope["query_string"]
    now_ms = platform.books.now_ms()
    check_request(claimed, key, request.method, target, body, now_ms / 1000)
    if not platform.store.remember_nonce(claimed.nonce, now_ms):
        raise CallRefusedError("nonce_replayed", claimed.nonce)
    return claimed.nonce


def _parse(model: type[Call] | None, body: bytes) -> Json:
    if model is None:
        return {}
    try:
        return model.model_validate_json(body).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise _WireError(400, "invalid_request", first["msg"], field) from error


def _number(request: Request) -> str:
    number: str = request.path_params["number"]
    if not _NUMBER.fullmatch(number):
        message = "expected 1 to 32 characters out of 0-9A-Za-z"
        raise _WireError(400, "invalid_request", message, "number")
    return number


def _start(platform: Platform, _request: Request, asked: Json, rule: Rule | None) -> Json:
    row = platform.books.start_agreement(asked, manner_of(rule))
    return {
        **agreement_json(row),
        "number": row["number"],
        "confirmation_url": f"{platform.public_url}/confirm/{row['token']}",
        "expires_at": instant(row["expires_ms"]),
    }


def _agreement(platform: Platform, request: Request, _asked: Json, _rule: Rule | None) -> Json:
    return agreement_json(platform.books.agreement(request.path_params["reference"]))


def _cancel(platform: Platform, request: Request, _asked: Json, _rule: Rule | None) -> Json:
    return agreement_json(platform.books.cancel_agreement(request.path_params["reference"]))


def _charge(platform: Platform, _request: Request, asked: Json, rule: Rule | None) -> Json:
    return order_json(platform.books.charge(asked, outcome_of(rule)))


def _checkout(platform: Platform, _request: Request, asked: Json, rule: Rule | None) -> Json:
    row = platform.books.checkout(asked, manner_of(rule))
    return {
        **order_json(row),
        "url": f"{platform.public_url}/pay/{row['token']}",
        "expires_at": instant(row["created_ms"] + PAGE_LIFETIME_MS),
    }


def _order(platform: Platform, request: Request, _asked: Json, _rule: Rule | None) -> Json:
    return order_json(platform.books.order("order", _number(request)))


def _close(platform: Platform, request: Request, _asked: Json, _rule: Rule | None) -> Json:
    return order_json(platform.books.close(_number(request)))


def _refund(platform: Platform, _request: Request, asked: Json, rule: Rule | None) -> Json:
    return order_json(platform.books.refund(asked, outcome_of(rule)))


def _refund_state(platform: Platform, request: Request, _asked: Json, _rule: Rule | None) -> Json:
    return order_json(platform.books.order("refund", _number(request)))
