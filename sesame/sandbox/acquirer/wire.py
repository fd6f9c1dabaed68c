"""The signed calls: refuse, carry out, sign the answer, or play that something went wrong."""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sesame.sandbox.acquirer.calls import (
    AgreementCall,
    Call,
    ChargeCall,
    CheckoutCall,
    EmptyCall,
    RefundCall,
)
from sesame.sandbox.acquirer.settlements import DayOpenError, SettlementFiles
from sesame.sandbox.acquirer.signing import (
    CallRefusedError,
    PlatformKey,
    check_request,
    read_credentials,
    spoil,
)
from sesame.sandbox.loopback import read_body
from sesame.sandbox.platform import (
    ORDER,
    PAGE_LIFETIME_MS,
    REFUND,
    BrokenConnection,
    Json,
    NewAgreement,
    NewOrder,
    NotFoundError,
    NumberConflictError,
    Operation,
    Platform,
    Scenario,
    Turn,
    agreement_json,
    instant,
    order_json,
    unpaid_checkout,
)

BODY_BYTES_MAX = 16 * 1024
_NUMBER = re.compile(r"[0-9A-Za-z]{1,32}")


class _WireError(Exception):
    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message}
        if field:
            self.body["field"] = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquirer:
    """The platform, and who may call it.

    Attributes:
        keys: The platform's own; `Platform.delivery` says which one signs.
        merchant_keys: The merchant's, by their ids.
        settlements: What was made of closed days.
    """

    platform: Platform
    merchant: str
    keys: tuple[PlatformKey, ...]
    merchant_keys: dict[str, RSAPublicKey]
    settlements: SettlementFiles = field(default_factory=SettlementFiles)

    @property
    def key(self) -> PlatformKey:
        """Return the key that signs now."""
        return self.keys[self.platform.delivery.key_position]


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One call: what its body is, and what is done with it."""

    operation: Operation
    body: type[Call] | None
    work: Callable[[Platform, Request, Json, Turn], Json]


def wire_routes(acquirer: Acquirer) -> list[Route]:
    """Return the routes of part 3."""

    def route(path: str, **endpoints: _Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            return await _answer(acquirer, request, endpoints[request.method.lower()])

        return Route(path, answer, methods=[method.upper() for method in endpoints])

    def settlement(platform: Platform, request: Request, _asked: Json, _turn: Turn) -> Json:
        try:
            day = date.fromisoformat(request.path_params["day"])
            after = int(request.query_params.get("after", "0"))
        except ValueError as error:
            message = "expected a day such as 2026-11-22, and `after` as an answer gave it"
            raise _WireError(400, "invalid_request", message) from error
        return acquirer.settlements.page(platform, day, after)

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
        route("/v1/settlements/{day}", get=_Endpoint(Operation.SETTLEMENT, None, settlement)),
    ]


async def _answer(acquirer: Acquirer, request: Request, endpoint: _Endpoint) -> Response:
    platform, nonce, turn = acquirer.platform, "", Turn()
    try:
        body = await _read(request)
        nonce = _authenticate(acquirer, request, body)
        asked = _parse(endpoint.body, body)
        turn = platform.turn(endpoint.operation, asked.get("agreement"))
        if turn.is_lost_before:
            return BrokenConnection()
        status, content = 200, endpoint.work(platform, request, asked, turn)
        platform.poke()
    except CallRefusedError as error:
        nonce, status = error.nonce, 401
        content = {"code": error.code, "message": "the request was not accepted as yours"}
    except _WireError as error:
        status, content = error.status, error.body
    except NotFoundError:
        status, content = 404, {"code": "not_found", "message": "no such thing"}
    except DayOpenError:
        message = "the day's books are not closed; ask later"
        status, content = 409, {"code": "settlement_not_ready", "message": message}
    except NumberConflictError:
        message = "this number belongs to another order"
        status, content = 409, {"code": "number_conflict", "message": message, "field": "number"}
    return await turn.finish(_signed(acquirer, turn, nonce, status, content))


def _signed(acquirer: Acquirer, turn: Turn, nonce: str, status: int, content: Json) -> Response:
    if turn.scenario is Scenario.UNKNOWN:
        status, content = 500, {"code": "system_error", "message": "ask for the order"}
    if content.get("amount_minor"):
        content = {**content, "amount_minor": turn.shown_minor(content["amount_minor"])}
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    stamp = (acquirer.platform.now_ms() // 1000, secrets.token_hex(16))
    header = acquirer.key.answer_header(acquirer.merchant, status, nonce, stamp, body)
    if turn.scenario is Scenario.BAD_ANSWER_SIGNATURE:
        header = spoil(header)
    return Response(
        body, status, headers={"Sesame-Signature": header}, media_type="application/json"
    )


async def _read(request: Request) -> bytes:
    body = await read_body(request, BODY_BYTES_MAX)
    if body is None:
        message = f"a body has at most {BODY_BYTES_MAX} bytes"
        raise _WireError(413, "body_too_large", message)
    return body


def _authenticate(acquirer: Acquirer, request: Request, body: bytes) -> str:
    claimed = read_credentials(request.headers.get("authorization"))
    key = acquirer.merchant_keys.get(claimed.key)
    if key is None or claimed.merchant != acquirer.merchant:
        raise CallRefusedError("signature_refused", claimed.nonce)
    target: bytes = request.scope["raw_path"]
    if request.scope["query_string"]:
        target += b"?" + request.scope["query_string"]
    now_ms = acquirer.platform.now_ms()
    check_request(claimed, key, request.method, target, body, now_ms / 1000)
    if not acquirer.platform.store.remember_nonce(claimed.nonce, now_ms):
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


def _start(platform: Platform, _request: Request, asked: Json, turn: Turn) -> Json:
    agreement = NewAgreement(
        number=asked["number"],
        parameters=asked,
        description=asked["description"],
        return_url=asked["return_url"],
    )
    row = platform.agreements.start(agreement, turn.manner)
    return {
        **agreement_json(row),
        "number": row["number"],
        "confirmation_url": f"{platform.public_url}/confirm/{row['token']}",
        "expires_at": instant(row["expires_ms"]),
    }


def _agreement(platform: Platform, request: Request, _asked: Json, _turn: Turn) -> Json:
    return agreement_json(platform.agreements.get(request.path_params["reference"]))


def _cancel(platform: Platform, request: Request, _asked: Json, _turn: Turn) -> Json:
    return agreement_json(platform.agreements.cancel(request.path_params["reference"]))


def _charge(platform: Platform, _request: Request, asked: Json, turn: Turn) -> Json:
    order = _new_order(asked, parent=asked["agreement"])
    return order_json(platform.orders.charge(order, turn.outcome))


def _checkout(platform: Platform, _request: Request, asked: Json, turn: Turn) -> Json:
    row = platform.orders.checkout(_new_order(asked), unpaid_checkout(turn.manner))
    return {
        **order_json(row),
        "url": f"{platform.public_url}/pay/{row['token']}",
        "expires_at": instant(row["created_ms"] + PAGE_LIFETIME_MS),
    }


def _order(platform: Platform, request: Request, _asked: Json, _turn: Turn) -> Json:
    return order_json(platform.orders.get(ORDER, _number(request)))


def _close(platform: Platform, request: Request, _asked: Json, _turn: Turn) -> Json:
    return order_json(platform.orders.close(_number(request)))


def _refund(platform: Platform, _request: Request, asked: Json, turn: Turn) -> Json:
    order = _new_order(asked, parent=asked["charge"])
    return order_json(platform.orders.refund(order, turn.outcome))


def _refund_state(platform: Platform, request: Request, _asked: Json, _turn: Turn) -> Json:
    return order_json(platform.orders.get(REFUND, _number(request)))


def _new_order(asked: Json, parent: str | None = None) -> NewOrder:
    return NewOrder(
        number=asked["number"],
        amount_minor=asked["amount_minor"],
        currency=asked["currency"],
        parameters=asked,
        description=asked.get("description") or asked["reason"],
        parent=parent,
        return_url=asked.get("return_url"),
    )
