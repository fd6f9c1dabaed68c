"""What a client learns of a failure."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import structlog
from graphql import GraphQLError

from api.config import ERRORS_MAX
from api.refusals import camel_case, is_expected, public_message
from parking.kit.errors import InvalidInputError, ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def told_errors(errors: Iterable[GraphQLError], correlation_id: str) -> list[dict[str, Any]]:
    """Return the first errors as a client reads them, each with the correlation id."""
    return [_told(error, correlation_id) for error in islice(errors, ERRORS_MAX)]


def _told(error: GraphQLError, correlation_id: str) -> dict[str, Any]:
    worded = word_error(error, correlation_id)
    extensions: Mapping[str, Any] = worded.extensions or {}
    return {
        **worded.formatted,
        "extensions": {**extensions, "correlationId": correlation_id},
    }


def word_error(error: GraphQLError, correlation_id: str) -> GraphQLError:
    """Return the error as a client may see it; what it may not see goes to the log."""
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return error
    if isinstance(cause, ParkingError) and is_expected(cause):
        extensions: dict[str, object] = {"code": cause.code, "retryable": cause.retryable}
        if isinstance(cause, InvalidInputError):
            extensions["field"] = camel_case(cause.field)
        return _replaced(error, public_message(cause), extensions)
    if isinstance(cause, RecursionError):
        return _replaced(error, "a value is nested too deeply", {"code": "TOO_DEEP"})
    _log.error("graphql.failed", correlation_id=correlation_id, path=error.path, exc_info=cause)
    return _replaced(error, "internal error", {"code": "INTERNAL"})


def _replaced(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=extensions)
