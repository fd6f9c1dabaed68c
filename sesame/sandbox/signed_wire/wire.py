"""The signed calls: refuse, carry out, sign the answer, or play that something went wrong."""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sesame.sandbox.loopback import read_body
from sesame.sandbox.platform import (
    BrokenConnection,
    Json,
    NotFoundError,
    NumberConflictError,
    Operation,
    Platform,
    Scenario,
    Turn,
)
from sesame.sandbox.signed_wire.calls import Call
from sesame.sandbox.signed_wire.signing import (
    CallRefusedError,
    MerchantKey,
    PlatformKey,
    Scheme,
)

BODY_BYTES_MAX = 16 * 1024
_NUMBER = re.compile(r"[0-9A-Za-z]{1,32}")


class WireError(Exception):
    """A signed error of part 5 of a wire's page."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message}
        if field:
            self.body["field"] = field


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedWire:
    """A platform, how it signs, and who may call it.

    Attributes:
        agreement_field: What a charge's body calls its agreement.
        keys: The platform's own; `Platform.delivery` says which one signs.
        merchant_keys: The merchant's, by their ids.
    """

    platform: Platform
    scheme: Scheme
    agreement_field: str
    merchant: str
    keys: tuple[PlatformKey, ...]
    merchant_keys: dict[str, MerchantKey]

    @property
    def key(self) -> PlatformKey:
        """Return the key that signs now."""
        return self.keys[self.platform.delivery.key_position]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: what its body is, and what is done with it."""

    operation: Operation
    body: type[Call] | None
    work: Callable[[Request, Json, Turn], Json | bytes]


def signed_route(wire: SignedWire, path: str, **endpoints: Endpoint) -> Route:
    """Return the route of a path, with an endpoint for each method."""

    async def answer(request: Request) -> Response:
        return await _answer(wire, request, endpoints[request.method.lower()])

    return Route(path, answer, methods=[method.upper() for method in endpoints])


def number_of(request: Request) -> str:
    """Return the number that a path names.

    Raises:
        WireError: it cannot be one.
    """
    number: str = request.path_params["number"]
    if not _NUMBER.fullmatch(number):
        message = "expected 1 to 32 characters out of 0-9A-Za-z"
        raise WireError(400, "invalid_request", message, "number")
    return number


async def _answer(wire: SignedWire, request: Request, endpoint: Endpoint) -> Response:
    nonce, turn = "", Turn()
    content: Json | bytes
    try:
        body = await _read(request)
        nonce = _authenticate(wire, request, body)
        asked = _parse(endpoint.body, body)
        turn = wire.platform.turn(endpoint.operation, asked.get(wire.agreement_field))
        if turn.is_lost_before:
            return BrokenConnection()
        status, content = 200, endpoint.work(request, asked, turn)
        wire.platform.poke()
    except CallRefusedError as error:
        nonce, status = error.nonce, 401
        content = {"code": error.code, "message": "the request was not accepted as yours"}
    except WireError as error:
        status, content = error.status, error.body
    except NotFoundError:
        status, content = 404, {"code": "not_found", "message": "no such thing"}
    except NumberConflictError:
        message = "this number belongs to another order"
        status, content = 409, {"code": "number_conflict", "message": message, "field": "number"}
    return await turn.finish(_signed(wire, turn, nonce, status, content))


def _signed(
    wire: SignedWire, turn: Turn, nonce: str, status: int, content: Json | bytes
) -> Response:
    media_type = "text/csv"
    if turn.scenario is Scenario.UNKNOWN:
        status, content = 500, {"code": "system_error", "message": "ask for the order"}
    if not isinstance(content, bytes):
        if content.get("amount_minor"):
            content = {**content, "amount_minor": turn.shown_minor(content["amount_minor"])}
        content = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        media_type = "application/json"
    stamp = (wire.platform.now_ms() // 1000, secrets.token_hex(16))
    header = wire.scheme.answer_header(wire.key, wire.merchant, stamp, (status, nonce, content))
    if turn.scenario is Scenario.BAD_ANSWER_SIGNATURE:
        header = wire.scheme.spoil(header)
    return Response(content, status, headers={wire.scheme.header: header}, media_type=media_type)


async def _read(request: Request) -> bytes:
    body = await read_body(request, BODY_BYTES_MAX)
    if body is None:
        message = f"a body has at most {BODY_BYTES_MAX} bytes"
        raise WireError(413, "body_too_large", message)
    return body


def _authenticate(wire: SignedWire, request: Request, body: bytes) -> str:
    claim = wire.scheme.read_claim(request.headers.get(wire.scheme.request_header))
    key = wire.merchant_keys.get(claim.key)
    if key is None or claim.merchant != wire.merchant:
        raise CallRefusedError("signature_refused", claim.nonce)
    target: bytes = request.scope["raw_path"]
    if request.scope["query_string"]:
        target += b"?" + request.scope["query_string"]
    now_ms = wire.platform.now_ms()
    wire.scheme.check_request(
        claim, key, method=request.method, target=target, body=body, now_s=now_ms / 1000
    )
    if not wire.platform.store.remember_nonce(claim.nonce, now_ms):
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
        raise WireError(400, "invalid_request", first["msg"], field) from error
