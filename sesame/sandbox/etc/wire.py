"""The signed calls: refuse, carry out, sign the answer, or play that something went wrong."""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sesame.sandbox.etc.calls import (
    Call,
    ContractCall,
    CorrectionCall,
    DeductionCall,
    EmptyCall,
)
from sesame.sandbox.etc.objects import contract_json, money_json, settlement_csv
from sesame.sandbox.etc.roadside import ZONE, Roadside
from sesame.sandbox.etc.signing import (
    SIGNATURE_HEADER,
    CallRefusedError,
    EtcKey,
    check_request,
    read_claim,
    spoil,
)
from sesame.sandbox.loopback import read_body
from sesame.sandbox.platform import (
    ORDER,
    REFUND,
    BrokenConnection,
    Json,
    NewAgreement,
    NewOrder,
    NotFoundError,
    NumberConflictError,
    Operation,
    Outcome,
    Platform,
    Scenario,
    Turn,
    instant,
    settlement_lines,
)

BODY_BYTES_MAX = 16 * 1024
FEE_BASIS_POINTS = 30
_NUMBER = re.compile(r"[0-9A-Za-z]{1,32}")


class _WireError(Exception):
    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message}
        if field:
            self.body["field"] = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Etc:
    """The acquirer: its books, the roadside, and who may call it."""

    platform: Platform
    roadside: Roadside
    merchant: str
    keys: tuple[EtcKey, ...]
    merchant_keys: dict[str, Ed25519PublicKey]

    @property
    def key(self) -> EtcKey:
        """Return the key that signs now."""
        return self.keys[self.platform.delivery.key_position]


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One call: what its body is, and what is done with it."""

    operation: Operation
    body: type[Call] | None
    work: Callable[[Etc, Request, Json, Turn], Json | bytes]


def wire_routes(etc: Etc) -> list[Route]:
    """Return the routes of part 3."""

    def route(path: str, **endpoints: _Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            return await _answer(etc, request, endpoints[request.method.lower()])

        return Route(path, answer, methods=[method.upper() for method in endpoints])

    query, cancel = Operation.QUERY, Operation.CANCEL
    return [
        route("/v1/contracts", post=_Endpoint(Operation.AGREEMENT, ContractCall, _start)),
        route("/v1/contracts/{reference}", get=_Endpoint(query, None, _contract)),
        route("/v1/contracts/{reference}/cancel", post=_Endpoint(cancel, EmptyCall, _cancel)),
        route("/v1/deductions", post=_Endpoint(Operation.CHARGE, DeductionCall, _deduct)),
        route("/v1/deductions/{number}", get=_Endpoint(query, None, _deduction)),
        route("/v1/deductions/{number}/close", post=_Endpoint(Operation.CLOSE, EmptyCall, _close)),
        route("/v1/corrections", post=_Endpoint(Operation.REFUND, CorrectionCall, _correct)),
        route("/v1/corrections/{number}", get=_Endpoint(query, None, _correction)),
        route("/v1/status-list", get=_Endpoint(query, None, _status_list)),
        route("/v1/settlements/{day}", get=_Endpoint(Operation.SETTLEMENT, None, _settlement)),
    ]


async def _answer(etc: Etc, request: Request, endpoint: _Endpoint) -> Response:
    nonce, turn = "", Turn()
    content: Json | bytes
    try:
        body = await _read(request)
        nonce = _authenticate(etc, request, body)
        asked = _parse(endpoint.body, body)
        turn = etc.platform.turn(endpoint.operation, asked.get("contract"))
        if turn.is_lost_before:
            return BrokenConnection()
        status, content = 200, endpoint.work(etc, request, asked, turn)
        etc.platform.poke()
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
    return await turn.finish(_signed(etc, turn, nonce, status, content))


def _signed(etc: Etc, turn: Turn, nonce: str, status: int, content: Json | bytes) -> Response:
    media_type = "text/csv"
    if turn.scenario is Scenario.UNKNOWN:
        status, content = 500, {"code": "system_error", "message": "ask for the order"}
    if not isinstance(content, bytes):
        if content.get("amount_minor"):
            content = {**content, "amount_minor": turn.shown_minor(content["amount_minor"])}
        content = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        media_type = "application/json"
    stamp = (etc.platform.now_ms() // 1000, secrets.token_hex(16))
    header = etc.key.answer_header(etc.merchant, status, nonce, stamp, content)
    if turn.scenario is Scenario.BAD_ANSWER_SIGNATURE:
        header = spoil(header)
    return Response(content, status, headers={SIGNATURE_HEADER: header}, media_type=media_type)


async def _read(request: Request) -> bytes:
    body = await read_body(request, BODY_BYTES_MAX)
    if body is None:
        message = f"a body has at most {BODY_BYTES_MAX} bytes"
        raise _WireError(413, "body_too_large", message)
    return body


def _authenticate(etc: Etc, request: Request, body: bytes) -> str:
    claim = read_claim(request.headers.get(SIGNATURE_HEADER))
    key = etc.merchant_keys.get(claim.key)
    if key is None or claim.merchant != etc.merchant:
        raise CallRefusedError("signature_refused", claim.nonce)
    target: bytes = request.scope["raw_path"]
    if request.scope["query_string"]:
        target += b"?" + request.scope["query_string"]
    now_ms = etc.platform.now_ms()
    check_request(claim, key, request.method, target, body, now_ms / 1000)
    if not etc.platform.store.remember_nonce(claim.nonce, now_ms):
        raise CallRefusedError("nonce_replayed", claim.nonce)
    return claim.nonce


def _parse(model: type[Call] | None, body: bytes) -> Json:
    if model is None:
        return {}
    try:
        return model.model_validate_json(body).model_dump(mode="json")
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


def _start(etc: Etc, _request: Request, asked: Json, turn: Turn) -> Json:
    agreement = NewAgreement(
        number=asked["number"],
        parameters=asked,
        description=f"{asked['description']} ({asked['plate']})",
        return_url=asked["return_url"],
        extra={"plate": asked["plate"]},
    )
    row = etc.platform.agreements.start(agreement, turn.manner)
    return {
        **contract_json(row),
        "number": row["number"],
        "confirmation_url": f"{etc.platform.public_url}/confirm/{row['token']}",
        "expires_at": instant(row["expires_ms"]),
    }


def _contract(etc: Etc, request: Request, _asked: Json, _turn: Turn) -> Json:
    return contract_json(etc.platform.agreements.get(request.path_params["reference"]))


def _cancel(etc: Etc, request: Request, _asked: Json, _turn: Turn) -> Json:
    return contract_json(etc.platform.agreements.cancel(request.path_params["reference"]))


def _deduct(etc: Etc, _request: Request, asked: Json, turn: Turn) -> Json:
    platform, outcome = etc.platform, turn.outcome
    with platform.store.transaction():
        refusal = None if _is_known(platform, asked["number"]) else etc.roadside.refusal(asked)
        if refusal:
            outcome = Outcome(status="failed", failure_code=refusal)
        order = replace(_new_order(asked, asked["contract"]), extra={"obu": asked["obu"]})
        return money_json(platform.orders.charge(order, outcome))


def _is_known(platform: Platform, number: str) -> bool:
    try:
        platform.orders.get(ORDER, number)
    except NotFoundError:
        return False
    return True


def _deduction(etc: Etc, request: Request, _asked: Json, _turn: Turn) -> Json:
    return money_json(etc.platform.orders.get(ORDER, _number(request)))


def _close(etc: Etc, request: Request, _asked: Json, _turn: Turn) -> Json:
    return money_json(etc.platform.orders.close(_number(request)))


def _correct(etc: Etc, _request: Request, asked: Json, turn: Turn) -> Json:
    platform = etc.platform
    extra: Json = {}
    if _is_known(platform, asked["deduction"]):
        extra = platform.orders.get(ORDER, asked["deduction"])["extra"]
    order = replace(_new_order(asked, asked["deduction"]), extra=extra)
    return money_json(platform.orders.refund(order, turn.outcome))


def _correction(etc: Etc, request: Request, _asked: Json, _turn: Turn) -> Json:
    return money_json(etc.platform.orders.get(REFUND, _number(request)))


def _status_list(etc: Etc, _request: Request, _asked: Json, _turn: Turn) -> Json:
    return {"units": etc.roadside.status_list()}


def _settlement(etc: Etc, request: Request, _asked: Json, _turn: Turn) -> bytes:
    try:
        day = date.fromisoformat(request.path_params["day"])
    except ValueError as error:
        raise _WireError(400, "invalid_request", "expected a day", "day") from error
    start = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    end = start + timedelta(days=1)
    now = etc.platform.clock.now()
    if end > now and not (etc.platform.is_day_closed and start <= now):
        raise _WireError(409, "day_open", "the day's books are not closed")
    lines = settlement_lines(
        etc.platform.store,
        int(start.timestamp() * 1000),
        int(end.timestamp() * 1000),
        differences=etc.platform.script.take_differences(),
        fee_basis_points=FEE_BASIS_POINTS,
    )
    return settlement_csv(lines)


def _new_order(asked: Json, parent: str) -> NewOrder:
    return NewOrder(
        number=asked["number"],
        amount_minor=asked["amount_minor"],
        currency=asked["currency"],
        parameters=asked,
        description=asked.get("description") or asked["reason"],
        parent=parent,
    )
