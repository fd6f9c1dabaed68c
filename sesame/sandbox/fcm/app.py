"""The stand-in as one ASGI application."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from parking.kit.clock import Clock
from sesame.sandbox.fcm.grant import GrantRefusedError, Grants, ServiceAccount
from sesame.sandbox.fcm.message import Message, SendRequest
from sesame.sandbox.fcm.scenarios import (
    ANSWERS,
    INVALID_ARGUMENT,
    SLOW_S,
    UNAUTHENTICATED,
    WITH_RETRY_AFTER,
    Answer,
    Command,
    Rule,
    Scenario,
    Script,
)
from sesame.sandbox.loopback import read_body, refuse_remote

BODY_BYTES_MAX: Final = 16 * 1024
KEPT_MAX: Final = 20_000
TOKEN_LIFE_S: Final = 3600
_CONTROL: Final[TypeAdapter[Rule | Command]] = TypeAdapter(Rule | Command)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One message and what became of it; numbers count up from 1."""

    number: int
    message: Message
    outcome: str


class _CutOff(Response):
    """Promises more than it sends: the connection ends in the middle of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin an answer and let it break off."""
        _ = scope, receive
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


class FcmStandIn:
    """Token endpoint, `messages:send`, and what tests and demo ask.

    Args:
        account: Whose grants are good.
        clock: For grants and tokens.
    """

    def __init__(self, account: ServiceAccount, clock: Clock) -> None:
        self._grants = Grants(account, clock)
        self._script = Script()
        self._kept: deque[_Entry] = deque(maxlen=KEPT_MAX)
        self._received = 0
        self._taken = 0
        self._refused = 0
        send_path = f"/v1/projects/{account.project_id}/messages:send"
        self.app = Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route(send_path, self._send, methods=["POST"]),
                Route("/_control", self._control, methods=["POST"]),
                Route("/_log", self._log, methods=["GET"]),
            ]
        )

    async def _token(self, request: Request) -> Response:
        body = await read_body(request, BODY_BYTES_MAX)
        try:
            form = dict(parse_qsl((body or b"").decode("ascii")))
            token = self._grants.exchange(form)
        except (GrantRefusedError, UnicodeDecodeError) as error:
            refusal = {"error": "invalid_grant", "error_description": str(error)}
            return JSONResponse(refusal, 400)
        answer = {"access_token": token, "expires_in": TOKEN_LIFE_S, "token_type": "Bearer"}
        return JSONResponse(answer)

    async def _send(self, request: Request) -> Response:
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None and await request.is_disconnected():
            # A sender that was killed while it wrote has sent no malformed message.
            return Response(status_code=400)
        if not self._grants.accepts(request.headers.get("authorization", "")):
            return _error(UNAUTHENTICATED, "the access token is not valid")
        try:
            message = SendRequest.model_validate_json(body or b"").message
        except ValidationError as error:
            self._refused += 1
            return _error(INVALID_ARGUMENT, _problems(error))
        rule = self._script.next(message.target)
        outcome = "taken" if rule is None else rule.scenario.value
        self._received += 1
        self._kept.append(_Entry(self._received, message, outcome))
        if rule is not None:
            return await self._fail(rule)
        self._taken += 1
        name = f"{request.url.path.removeprefix('/v1/').removesuffix(':send')}/{self._taken}"
        return JSONResponse({"name": name})

    async def _fail(self, rule: Rule) -> Response:
        match rule.scenario:
            case Scenario.RESET:
                return _CutOff()
            case Scenario.GARBAGE:
                return Response("<html>", media_type="text/html")
            case Scenario.SLOW:
                await asyncio.sleep(SLOW_S)
                return _error(ANSWERS[Scenario.UNAVAILABLE], "slow")
            case _:
                response = _error(ANSWERS[rule.scenario], rule.scenario.value)
        if rule.scenario in WITH_RETRY_AFTER:
            response.headers["Retry-After"] = str(rule.retry_after_s)
        return response

    async def _control(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        body = await read_body(request, BODY_BYTES_MAX)
        try:
            wish = _CONTROL.validate_json(body or b"")
            if isinstance(wish, Rule):
                self._script.add(wish)
        except ValidationError as error:
            return JSONResponse({"code": "invalid_request", "problems": _problems(error)}, 400)
        except ValueError as error:
            return JSONResponse({"code": "invalid_request", "problems": str(error)}, 400)
        if isinstance(wish, Command):
            self._obey(wish)
        return JSONResponse({})

    def _obey(self, command: Command) -> None:
        if command.clear:
            self._script.clear()
            self._kept.clear()
        if command.revoke_tokens:
            self._grants.revoke_all()

    async def _log(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        try:
            after = int(request.query_params.get("after", "0"))
        except ValueError:
            return JSONResponse({"code": "invalid_request", "problems": "after: a number"}, 400)
        entries: list[dict[str, Any]] = [
            {
                "number": one.number,
                "outcome": one.outcome,
                "message": one.message.model_dump(exclude_none=True),
            }
            for one in self._kept
            if one.number > after
        ]
        return JSONResponse(
            {
                "tokens_given": self._grants.given,
                "taken": self._taken,
                "malformed": self._refused,
                "messages": entries,
            }
        )


def create_fcm_stand_in(account: ServiceAccount, clock: Clock) -> Starlette:
    """Return the application of a stand-in that knows one service account."""
    return FcmStandIn(account, clock).app


def _error(answer: Answer, text: str) -> JSONResponse:
    return JSONResponse(answer.body(text), answer.status_code)


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
    )
