"""GraphQL over HTTP: JSON only, one operation a request.

By the GraphQL-over-HTTP specification: a client that accepts `application/graphql-response+json`
gets 400 for what could not be executed; any other gets 200 with the errors in the body.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
import structlog
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from api.config import OPERATION_TIMEOUT_S
from api.graphql.asked import Asked, read_asked
from api.graphql.compression import compressed
from api.graphql.engine import TIMED_OUT, Engine
from api.graphql.refused import DocumentRefusedError, RequestRefusedError
from api.graphql.wording import told_errors
from api.request import RequestContext

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
JSON: Final = "application/json"
_CONTENT_TYPES: Final = {
    each: f"{each}; charset=utf-8".encode() for each in (GRAPHQL_RESPONSE, JSON)
}
_UTF8: Final = frozenset({"utf-8", "utf8"})
_IN_JSON: Final = ("variables", "extensions")

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class GraphQLEndpoint:
    """Answers with one schema.

    Args:
        engine: What executes.
        open_context: Makes the surroundings of a request.
        takes_get: Whether queries may come by GET: for tools, not for production.
    """

    def __init__(
        self,
        engine: Engine,
        open_context: Callable[[Request], RequestContext],
        *,
        takes_get: bool = False,
    ) -> None:
        self._engine = engine
        self._open_context = open_context
        self.methods = ("GET", "POST") if takes_get else ("POST",)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; by itself, for Starlette's way to a function costs more than ours."""
        request = Request(scope, receive)
        if request.method in self.methods:
            response = await compressed(request, await self._answer(request))
        else:
            allowed = {"allow": ", ".join(self.methods)}
            response = PlainTextResponse("Method Not Allowed", 405, headers=allowed)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        media_type = response_type(request.headers.get("accept"))
        context = self._open_context(request)
        try:
            asked = _read_url(request) if request.method == "GET" else await _read_body(request)
            async with asyncio.timeout(OPERATION_TIMEOUT_S):
                answer = await self._run(asked, context, is_get=request.method == "GET")
        except DocumentRefusedError as error:
            status = 200 if media_type == JSON else 400
            return _respond(media_type, status, _told(error, context))
        except RequestRefusedError as error:
            return _refusal(media_type, error, context)
        except BodyRefusedError as error:
            refused = RequestRefusedError(error.status, error.code, str(error))
            return _refusal(media_type, refused, context, REFUSED_HEADERS)
        except TimeoutError:
            _log.warning("graphql.timeout", correlation_id=context.correlation_id)
            refused = RequestRefusedError(503, *TIMED_OUT)
            return _refusal(media_type, refused, context)
        return _respond(media_type, 200, answer)

    async def _run(self, asked: Asked, context: RequestContext, *, is_get: bool) -> dict[str, Any]:
        prepared = await self._engine.admit(asked, context)
        if prepared.kind is OperationType.SUBSCRIPTION:
            message = "subscriptions need a WebSocket (graphql-transport-ws)"
            raise RequestRefusedError(400, "BAD_REQUEST", message)
        if is_get and prepared.kind is not OperationType.QUERY:
            raise RequestRefusedError(405, "METHOD_NOT_ALLOWED", "mutations need POST")
        return await self._engine.execute(prepared, context)


def response_type(accept: str | None) -> str:
    """Return the media type of the answer: the newer one where it is asked for by name."""
    return GRAPHQL_RESPONSE if accept and GRAPHQL_RESPONSE in accept.lower() else JSON


async def _read_body(request: Request) -> Asked:
    content_type = request.headers.get("content-type", "")
    if content_type != JSON:
        _require_json(content_type.lower())
    body = _json(await read_body(request), "body")
    if isinstance(body, list):
        raise RequestRefusedError(400, "BAD_REQUEST", "body: expected one operation, not a batch")
    if not isinstance(body, dict):
        raise RequestRefusedError(400, "BAD_REQUEST", "body: expected an object")
    return read_asked(cast("dict[str, object]", body))


def _require_json(content_type: str) -> None:
    media_type, _, parameters = content_type.partition(";")
    # A browser sends the other types across sites without asking first.
    if media_type.strip() != JSON:
        raise RequestRefusedError(415, "UNSUPPORTED_MEDIA_TYPE", f"content-type: expected {JSON}")
    charset = parameters.partition("charset=")[2].strip(' "')
    if charset and charset not in _UTF8:
        raise RequestRefusedError(415, "UNSUPPORTED_MEDIA_TYPE", "charset: expected utf-8")


def _read_url(request: Request) -> Asked:
    parameters: dict[str, object] = dict(request.query_params)
    for name in _IN_JSON:
        if name in parameters:
            parameters[name] = _json(str(parameters[name]), name)
    return read_asked(parameters)


def _json(text: bytes | str, name: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestRefusedError(400, "BAD_REQUEST", f"{name}: expected JSON") from error


def _refusal(
    media_type: str,
    error: RequestRefusedError,
    context: RequestContext,
    headers: Mapping[str, str] | None = None,
) -> Response:
    refused = DocumentRefusedError([error.as_error()])
    response = _respond(media_type, error.status, _told(refused, context))
    response.headers.update(headers or {})
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(error.retry_after_s)
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["allow"] = "POST"
    return response


def _told(error: DocumentRefusedError, context: RequestContext) -> dict[str, Any]:
    return {"errors": told_errors(error.errors, context.correlation_id)}


class _Answer(Response):
    """Bytes with two headers, without the library's look at each."""

    def __init__(self, media_type: str, status: int, body: bytes) -> None:  # pyright: ignore[reportMissingSuperCall] - it is what is spared
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [
            (b"content-type", _CONTENT_TYPES[media_type]),
            (b"content-length", b"%d" % len(body)),
        ]


def _respond(media_type: str, status: int, body: dict[str, Any]) -> Response:
    return _Answer(media_type, status, orjson.dumps(body))
