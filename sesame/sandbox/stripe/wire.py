"""The calls: bearer keys, idempotency keys, and what the answer plays."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sesame.sandbox.loopback import read_body
from sesame.sandbox.platform import BrokenConnection, Json, Operation, Scenario, Turn
from sesame.sandbox.stripe import cards, movements, payments
from sesame.sandbox.stripe.account import Account
from sesame.sandbox.stripe.errors import StripeRefusedError
from sesame.sandbox.stripe.form import Form, decode
from sesame.sandbox.stripe.objects import API_VERSION, intent_json
from sesame.sandbox.stripe.things import KeptAnswer, new_id

BODY_BYTES_MAX = 64 * 1024
# `unknown` with this failure code: the defect came before anything was done.
NOTHING_DONE = "nothing_done"

_Work = Callable[[Account, str, Form, Turn], Json]


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    operation: Operation
    work: _Work


def wire_routes(account: Account) -> list[Route]:
    """Return one route for each path."""
    paths: dict[str, dict[str, _Call]] = {}
    for call in _calls():
        paths.setdefault(call.path, {})[call.method] = call

    def endpoint(calls: dict[str, _Call]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return await _answer(account, request, calls[request.method])

        return answer

    return [Route(path, endpoint(calls), methods=list(calls)) for path, calls in paths.items()]


async def _answer(account: Account, request: Request, call: _Call) -> Response:
    body = await read_body(request, BODY_BYTES_MAX)
    key = request.headers.get("idempotency-key", "") if call.method == "POST" else ""
    try:
        _authenticate(account, request)
        form = _form(request, body)
    except StripeRefusedError as error:
        return _response(error.status, {"error": error.error})
    if key in account.in_progress:
        error = {"type": "idempotency_error", "code": "idempotency_key_in_use"}
        message = "There is currently another in-progress request using this key."
        return _response(409, {"error": {**error, "message": message}})
    if key:
        account.in_progress.add(key)
    try:
        return await _carry_out(account, request, call, key, form)
    finally:
        account.in_progress.discard(key)


async def _carry_out(
    account: Account, request: Request, call: _Call, key: str, form: Form
) -> Response:
    now_ms = account.platform.now_ms()
    target = f"{request.method} {request.url.path}"
    parameters = json.dumps(form, sort_keys=True, ensure_ascii=False)
    kept = account.things.kept(key, now_ms) if key else None
    if kept is not None and (kept.target, kept.parameters) != (target, parameters):
        message = (
            "Keys for idempotent requests can only be used with the same parameters and endpoint"
            " that they were first used with."
        )
        return _response(400, {"error": {"type": "idempotency_error", "message": message}})
    turn = account.platform.turn(_operation(call, form), form.get("customer"))
    if turn.is_lost_before:
        return BrokenConnection()
    if kept is not None:
        answer = _raw(kept.status, kept.body, {"Idempotent-Replayed": "true"})
        return await turn.finish(answer)
    status, content = _work(account, request, call, form, turn)
    text = json.dumps(content, ensure_ascii=False)
    if key:
        account.things.keep(key, KeptAnswer(target, parameters, status, text), now_ms)
    account.platform.poke()
    if turn.scenario is Scenario.BAD_ANSWER_SIGNATURE:
        # Stripe signs no answers: this is what somebody in between may say.
        return HTMLResponse("<h1>Welcome to our network</h1>")
    return await turn.finish(_raw(status, text, {}))


def _work(
    account: Account, request: Request, call: _Call, form: Form, turn: Turn
) -> tuple[int, Json]:
    if turn.rule and turn.scenario is Scenario.UNKNOWN and turn.rule.failure_code == NOTHING_DONE:
        return _defect()
    with account.platform.store.transaction():
        try:
            content = call.work(account, request.path_params.get("id", ""), form, turn)
        except StripeRefusedError as error:
            # A declined card leaves its intent: a refusal is an answer, and not a way back.
            return error.status, {"error": error.error}
    return _defect() if turn.scenario is Scenario.UNKNOWN else (200, content)


def _defect() -> tuple[int, Json]:
    message = "An unexpected error occurred."
    return 500, {"error": {"type": "api_error", "message": message}}


def _authenticate(account: Account, request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or key != account.secret_key:
        error = {"type": "invalid_request_error", "message": "Invalid API Key provided"}
        raise StripeRefusedError(401, error)
    if request.headers.get("stripe-account") != account.connected:
        error = {"type": "invalid_request_error", "message": "No access to that account"}
        raise StripeRefusedError(403, {**error, "code": "account_invalid"})
    if request.headers.get("stripe-version") != API_VERSION:
        error = {"type": "invalid_request_error", "message": f"Expected version {API_VERSION}"}
        raise StripeRefusedError(400, error)


def _form(request: Request, body: bytes | None) -> Form:
    kind = request.headers.get("content-type", "")
    if request.method == "POST" and not kind.startswith("application/x-www-form-urlencoded"):
        message = "Expected application/x-www-form-urlencoded"
        raise StripeRefusedError(400, {"type": "invalid_request_error", "message": message})
    text = request.url.query if request.method == "GET" else (body or b"").decode()
    try:
        return decode(text)
    except (ValueError, TypeError) as error:
        refusal = {"type": "invalid_request_error", "message": str(error)}
        raise StripeRefusedError(400, refusal) from error


def _operation(call: _Call, form: Form) -> Operation:
    if call.path == "/v1/checkout/sessions" and form.get("mode") == "setup":
        return Operation.AGREEMENT
    if call.path == "/v1/payment_intents" and call.method == "POST" and "confirm" not in form:
        return Operation.CLOSE
    return call.operation


def _response(status: int, content: Json) -> Response:
    return _raw(status, json.dumps(content, ensure_ascii=False), {})


def _raw(status: int, text: str, headers: dict[str, str]) -> Response:
    known = {"Request-Id": new_id("req"), "Stripe-Version": API_VERSION, **headers}
    return Response(text, status, headers=known, media_type="application/json")


def _calls() -> tuple[_Call, ...]:
    query, pages = Operation.QUERY, "/v1/checkout/sessions"
    get, post = "GET", "POST"
    return (
        _Call(post, "/v1/customers", Operation.ENTRY, _plain(cards.create_customer)),
        _Call(get, "/v1/setup_intents", query, _plain(cards.list_setups)),
        _Call(post, "/v1/payment_methods/{id}", Operation.CANCEL, _named(cards.update_card)),
        _Call(post, "/v1/payment_methods/{id}/detach", Operation.CANCEL, _named(cards.detach_card)),
        _Call(post, "/v1/payment_intents", Operation.CHARGE, _played(payments.create_intent)),
        _Call(get, "/v1/payment_intents", query, _plain(payments.list_intents)),
        _Call(get, "/v1/payment_intents/{id}", query, _intent),
        _Call(
            post,
            "/v1/payment_intents/{id}/cancel",
            Operation.CLOSE,
            _named(payments.cancel_intent),
        ),
        _Call(post, pages, Operation.CHECKOUT, _played(payments.open_page)),
        _Call(get, pages, query, _plain(payments.list_pages)),
        _Call(get, f"{pages}/{{id}}", query, _page),
        _Call(post, f"{pages}/{{id}}/expire", Operation.CLOSE, _named(payments.expire_page)),
        _Call(post, "/v1/refunds", Operation.REFUND, _played(payments.create_refund)),
        _Call(get, "/v1/refunds", query, _plain(payments.list_refunds)),
        _Call(get, "/v1/refunds/{id}", query, _found_refund),
        _Call(
            get,
            "/v1/balance_transactions",
            Operation.SETTLEMENT,
            _plain(movements.list_movements),
        ),
    )


def _plain(work: Callable[[Account, Form], Json]) -> _Work:
    return lambda account, _identity, form, _turn: work(account, form)


def _named(work: Callable[[Account, str, Form], Json]) -> _Work:
    return lambda account, identity, form, _turn: work(account, identity, form)


def _played(work: Callable[[Account, Form, Turn], Json]) -> _Work:
    return lambda account, _identity, form, turn: work(account, form, turn)


def _intent(account: Account, identity: str, _form: Form, _turn: Turn) -> Json:
    return intent_json(account.intent(identity), livemode=account.livemode)


def _page(account: Account, identity: str, _form: Form, _turn: Turn) -> Json:
    return payments.find_page(account, identity)


def _found_refund(account: Account, identity: str, _form: Form, _turn: Turn) -> Json:
    return payments.find_refund(account, identity)
