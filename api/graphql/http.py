"""GraphQL over HTTP: POST with JSON only, one operation a request.

By the GraphQL-over-HTTP specification: a client that accepts `application/graphql-response+json`
gets 400 for what could not be executed; any other gets 200 with the errors in the body.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson
import strawberry
import structlog
from starlette.requests import Request
from starlette.responses import Response
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from api.body import REFUSED_HEADERS, BodyRefusedError, read_body
from api.config import OPERATION_TIMEOUT_S
from api.limits import UNKNOWN_OPERATION
from api.request import RequestContext

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
JSON: Final = "application/json"
_UTF8: Final = frozenset({"utf-8", "utf8"})
_ALLOWED: Final = (OperationType.QUERY, OperationType.MUTATION)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RequestRefusedError(Exception):
    """The request is not GraphQL over HTTP as we serve it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """A well-formed request."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


class GraphQLEndpoint:
    """Answers POST with one schema."""

    def __init__(
        self, schema: strawberry.Schema, open_context: Callable[[Request], RequestContext]
    ) -> None:
        self._schema = schema
        self._open_context = open_context

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        media_type = response_type(request.headers.get("accept"))
        try:
            asked = await _read(request)
        except RequestRefusedError as error:
            return _refusal(media_type, error.status, error.code, str(error))
        except BodyRefusedError as error:
            refusal = _refusal(media_type, error.status, error.code, str(error))
            refusal.headers.update(REFUSED_HEADERS)
            return refusal
        context = self._open_context(request)
        try:
            async with asyncio.timeout(OPERATION_TIMEOUT_S):
                result = await self._execute(asked, context)
        except RequestRefusedError as error:
            return _refusal(media_type, error.status, error.code, str(error))
        except TimeoutError:
            _log.warning("graphql.timeout", correlation_id=context.correlation_id)
            return _refusal(media_type, 503, "TIMEOUT", "the operation took too long")
        return _answer(media_type, result)

    async def _execute(self, asked: GraphQLRequest, context: RequestContext) -> ExecutionResult:
        try:
            return await self._schema.execute(
                asked.query,
                variable_values=asked.variables,
                context_value=context,
                operation_name=asked.operation_name,
                allowed_operation_types=_ALLOWED,
            )
        except MissingQueryError as error:
            raise RequestRefusedError(400, "BAD_REQUEST", "query: expected a document") from error
        except CannotGetOperationTypeError as error:
            raise RequestRefusedError(400, "BAD_REQUEST", UNKNOWN_OPERATION) from error
        except InvalidOperationTypeError as error:
            message = "subscriptions need a WebSocket (graphql-transport-ws)"
            raise RequestRefusedError(400, "BAD_REQUEST", message) from error


def response_type(accept: str | None) -> str:
    """Return the media type of the answer: the newer one where it is asked for by name."""
    return GRAPHQL_RESPONSE if GRAPHQL_RESPONSE in (accept or "").lower() else JSON


async def _read(request: Request) -> GraphQLRequest:
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    # A browser sends the other types across sites without asking first.
    if media_type.strip() != JSON:
        raise RequestRefusedError(415, "UNSUPPORTED_MEDIA_TYPE", f"content-type: expected {JSON}")
    charset = parameters.partition("charset=")[2].strip(' "')
    if charset and charset not in _UTF8:
        raise RequestRefusedError(415, "UNSUPPORTED_MEDIA_TYPE", "charset: expected utf-8")
    try:
        body: object = orjson.loads(await read_body(request))
    except orjson.JSONDecodeError as error:
        raise RequestRefusedError(400, "BAD_REQUEST", "body: expected JSON") from error
    if isinstance(body, list):
        raise RequestRefusedError(400, "BAD_REQUEST", "body: expected one operation, not a batch")
    if not isinstance(body, dict):
        raise RequestRefusedError(400, "BAD_REQUEST", "body: expected an object")
    return _checked(cast("dict[str, Any]", body))


def _checked(body: dict[str, Any]) -> GraphQLRequest:
    query, variables = body.get("query"), body.get("variables")
    operation_name, extensions = body.get("operationName"), body.get("extensions")
    if not isinstance(query, str):
        raise RequestRefusedError(400, "BAD_REQUEST", "query: expected a string")
    for name, value in (("variables", variables), ("extensions", extensions)):
        if not isinstance(value, (dict, type(None))):
            raise RequestRefusedError(400, "BAD_REQUEST", f"{name}: expected an object")
    if not isinstance(operation_name, (str, type(None))):
        raise RequestRefusedError(400, "BAD_REQUEST", "operationName: expected a string")
    return GraphQLRequest(query, cast("dict[str, Any] | None", variables), operation_name)


def _answer(media_type: str, result: ExecutionResult) -> Response:
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    is_executed = not _is_request_error(result)
    if is_executed:
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    status = 200 if is_executed or media_type == JSON else 400
    return _respond(media_type, status, body)


def _is_request_error(result: ExecutionResult) -> bool:
    # graphql-core answers a variable that does not fit with errors that have no path.
    return isinstance(result, PreExecutionError) or (
        result.data is None
        and bool(result.errors)
        and all(error.path is None for error in result.errors or ())
    )


def _refusal(media_type: str, status: int, code: str, message: str) -> Response:
    return _respond(
        media_type, status, {"errors": [{"message": message, "extensions": {"code": code}}]}
    )


def _respond(media_type: str, status: int, body: dict[str, Any]) -> Response:
    return Response(
        orjson.dumps(body), status, headers={"content-type": f"{media_type}; charset=utf-8"}
    )
