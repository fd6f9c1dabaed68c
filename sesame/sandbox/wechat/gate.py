"""The gate of every signed call: refuse, carry out, sign the answer, or play what went wrong."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sesame.sandbox.loopback import read_body
from sesame.sandbox.platform import (
    ORDER,
    BrokenConnection,
    Json,
    NotFoundError,
    Operation,
    Platform,
    Scenario,
    Turn,
)
from sesame.sandbox.wechat.calls import Call
from sesame.sandbox.wechat.errors import ApiError
from sesame.sandbox.wechat.merchants import Merchant
from sesame.sandbox.wechat.signing import (
    CallRefusedError,
    check_request,
    read_credentials,
    spoiled,
)

BODY_BYTES_MAX = 64 * 1024
_MISSING = {Operation.QUERY: "ORDER_NOT_EXIST", Operation.CLOSE: "ORDER_NOT_EXIST"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: what its body is, and what is done with it.

    Attributes:
        work: Returns the answer; `None` for one without a body.
    """

    operation: Operation
    body: type[Call] | None
    work: Callable[[Request, Json, Turn], Json | None]


class Gate:
    """Lets the merchant in, and signs what it is told."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant
        self._platform = merchant.platform

    def route(self, path: str, **endpoints: Endpoint) -> Route:
        """Return the route of the calls at a path, by their methods."""

        async def answer(request: Request) -> Response:
            return await self._answer(request, endpoints[request.method.lower()])

        return Route(path, answer, methods=[method.upper() for method in endpoints])

    async def authenticated(self, request: Request) -> bytes:
        """Return the body of a call that the merchant signed.

        Raises:
            CallRefusedError: nobody did, or not now.
        """
        body = await read_body(request, BODY_BYTES_MAX)
        claim = read_credentials(request.headers.get("authorization"))
        key = self._merchant.merchant_keys.get(claim.serial)
        if body is None or key is None or claim.merchant != self._merchant.merchant:
            raise CallRefusedError("merchant")
        target: bytes = request.scope["raw_path"]
        if request.scope["query_string"]:
            target += b"?" + request.scope["query_string"]
        now_ms = self._platform.now_ms()
        check_request(claim, key, request.method, target, body, now_ms / 1000)
        if not self._platform.store.remember_nonce(claim.nonce, now_ms):
            raise CallRefusedError("nonce")
        return body

    async def _answer(self, request: Request, endpoint: Endpoint) -> Response:
        turn = Turn()
        try:
            body = await self.authenticated(request)
            asked = _parse(endpoint.body, body)
            turn = self._platform.turn(endpoint.operation)
            if turn.is_lost_before:
                return BrokenConnection()
            content = endpoint.work(request, asked, turn)
            status = 204 if content is None else 200
            self._platform.poke()
        except CallRefusedError as error:
            # WeChat Pay does not sign what it tells a stranger.
            return unsigned(ApiError(401, "SIGN_ERROR", str(error)))
        except ApiError as error:
            status, content = error.status, error.body
        except NotFoundError:
            code = _MISSING.get(endpoint.operation, "RESOURCE_NOT_EXISTS")
            status, content = 404, {"code": code, "message": "no such thing"}
        return await turn.finish(self._signed(turn, status, content))

    def _signed(self, turn: Turn, status: int, content: Json | None) -> Response:
        if turn.scenario is Scenario.UNKNOWN:
            status, content = 500, {"code": "SYSTEM_ERROR", "message": "ask for the order"}
        if turn.scenario is Scenario.WRONG_AMOUNT and content is not None:
            content = _with_wrong_amount(content)
        body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
        headers = self._merchant.key.headers(self._platform.now_ms() // 1000, body)
        if turn.scenario is Scenario.BAD_ANSWER_SIGNATURE:
            headers = spoiled(headers)
        return Response(body, status, headers=headers, media_type="application/json")


def find_order(platform: Platform, number: str, kind: str) -> Json:
    """Return an order of one kind: a charge and a page are asked for at different addresses.

    Raises:
        NotFoundError: there is none.
    """
    row = platform.orders.get(ORDER, number)
    if row["kind"] != kind:
        raise NotFoundError
    return row


def number_used() -> ApiError:
    """Return the refusal of a number that another order has."""
    return ApiError(403, "OUT_TRADE_NO_USED", "the out_trade_no is another order's")


def unsigned(error: ApiError) -> Response:
    """Return a refusal that nobody signed."""
    return Response(json.dumps(error.body), error.status, media_type="application/json")


def _parse(model: type[Call] | None, body: bytes) -> Json:
    if model is None:
        return {}
    try:
        return model.model_validate_json(body).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ApiError(400, "PARAM_ERROR", f"{field}: {first['msg']}") from error


def _with_wrong_amount(content: Json) -> Json:
    amount = content.get("amount")
    if not isinstance(amount, dict):
        return content
    name = "refund" if "refund" in amount else "total"
    return {**content, "amount": {**amount, name: amount[name] + 1}}
