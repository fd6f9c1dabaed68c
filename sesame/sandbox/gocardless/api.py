"""GoCardless' calls: who asks, what is asked, and how it says no."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sesame.sandbox.gocardless.calls import Call
from sesame.sandbox.loopback import read_body
from sesame.sandbox.platform import (
    BrokenConnection,
    Json,
    NotFoundError,
    Operation,
    Platform,
    Scenario,
    Turn,
)

BODY_BYTES_MAX = 64 * 1024
CONFLICT = "idempotent_creation_conflict"
API_VERSION = "2015-07-06"
_OBJECT: TypeAdapter[Json] = TypeAdapter(Json)


class ApiRefusedError(Exception):
    """An error of the API."""

    def __init__(
        self, status: int, kind: str, reason: str, *, conflicting_id: str | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        item: Json = {"reason": reason, "message": reason}
        if conflicting_id:
            item["links"] = {"conflicting_resource_id": conflicting_id}
        self.body: Json = {
            "error": {"type": kind, "code": status, "message": reason, "errors": [item]}
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GoCardless:
    """The platform, and the token that opens it."""

    platform: Platform
    access_token: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, as its work sees it."""

    request: Request
    body: Json
    key: str | None
    turn: Turn


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: its envelope, what its body is, and what is done with it."""

    operation: Operation
    envelope: str
    body: type[Call] | None
    work: Callable[[GoCardless, Asked], Json]
    status: int = 200


async def answer(gocardless: GoCardless, request: Request, endpoint: Endpoint) -> Response:
    """Return the answer to a call, or play that something went wrong."""
    turn = Turn()
    try:
        _require_token(gocardless, request)
        content = await read_body(request, BODY_BYTES_MAX)
        body = _parse(endpoint, content or b"")
        turn = gocardless.platform.turn(endpoint.operation)
        if turn.is_lost_before:
            return BrokenConnection()
        key = request.headers.get("idempotency-key")
        found = endpoint.work(gocardless, Asked(request, body, key, turn))
        gocardless.platform.poke()
        status = endpoint.status
        if turn.scenario is Scenario.UNKNOWN:
            failure = ApiRefusedError(500, "gocardless", "internal_server_error")
            status, found = failure.status, failure.body
    except ApiRefusedError as error:
        status, found = error.status, error.body
    except NotFoundError:
        error = ApiRefusedError(404, "invalid_api_usage", "resource_not_found")
        status, found = error.status, error.body
    return await turn.finish(JSONResponse(_shown(found, endpoint.envelope, turn), status))


def _shown(found: Json, envelope: str, turn: Turn) -> Json:
    if turn.scenario is not Scenario.WRONG_AMOUNT or "amount" not in found.get(envelope, ()):
        return found
    about: Json = found[envelope]
    return {envelope: {**about, "amount": turn.shown_minor(about["amount"])}}


def _require_token(gocardless: GoCardless, request: Request) -> None:
    expected = f"Bearer {gocardless.access_token}"
    sent = request.headers.get("authorization", "")
    if not hmac.compare_digest(sent.encode(), expected.encode()):
        raise ApiRefusedError(401, "invalid_api_usage", "access_token_not_found")
    if request.headers.get("gocardless-version") != API_VERSION:
        raise ApiRefusedError(400, "invalid_api_usage", "version_not_found")


def _parse(endpoint: Endpoint, content: bytes) -> Json:
    if endpoint.body is None:
        return {}
    try:
        envelope = _OBJECT.validate_json(content)
        return endpoint.body.model_validate(envelope.get(endpoint.envelope, {})).model_dump()
    except (ValueError, ValidationError) as error:
        raise ApiRefusedError(422, "validation_failed", "is_invalid") from error
