"""What a document may cost, and what a client learns of a failure."""

from collections.abc import Callable, Iterator
from typing import Final

import strawberry
import structlog
from graphql import ASTValidationRule, GraphQLError, NoSchemaIntrospectionCustomRule
from strawberry.extensions import (
    AddValidationRules,
    MaxTokensLimiter,
    ParserCache,
    SchemaExtension,
    ValidationCache,
)
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types import ExecutionContext, StreamExecutionResult

from api.config import DOCUMENTS_CACHED_MAX, ERRORS_MAX, QUERY_TOKENS_MAX
from api.document_cost import DocumentCostRule
from api.refusals import camel_case, is_expected, public_message
from api.request import RequestContext
from parking.kit.errors import InvalidInputError, ParkingError

UNKNOWN_OPERATION: Final = "operationName: expected the name of an operation in the document"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# Made once: the validation cache finds a document again only with the very same rules.
_RULES: Final[list[type[ASTValidationRule]]] = [DocumentCostRule]
_PRODUCTION_RULES: Final = [*_RULES, NoSchemaIntrospectionCustomRule]


class TellFailures(SchemaExtension):
    """Words every error: expected ones with their code, others masked, with a correlation id."""

    def __init__(self, *, suggests: bool) -> None:
        super().__init__()
        self._suggests = suggests
        self._streamed = False

    def on_operation(self) -> Iterator[None]:
        """Word the errors of a query or mutation."""
        yield
        if not self._streamed:
            self._word(self.execution_context.result)

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        """Word the errors of one result of a subscription, before it is sent."""
        self._streamed = True
        self._word(result)
        yield

    def _word(self, result: object) -> None:
        errors: list[GraphQLError] | None = getattr(result, "errors", None)
        if errors:
            context: RequestContext = self.execution_context.context
            worded = [word_error(error, context.correlation_id) for error in errors[:ERRORS_MAX]]
            if not self._suggests:
                worded = [_without_suggestion(error) for error in worded]
            result.errors = worded  # pyright: ignore[reportAttributeAccessIssue] - it has `errors`


class QuietSchema(strawberry.Schema):
    """Leaves the log to `word_error`: the library logs whatever nonsense a client sends."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log nothing."""


def word_error(error: GraphQLError, correlation_id: str) -> GraphQLError:
    """Return the error as a client may see it; what it may not see goes to the log."""
    cause = error.original_error
    if cause is None:
        return error
    if isinstance(cause, ParkingError) and is_expected(cause):
        extensions: dict[str, object] = {"code": cause.code, "retryable": cause.retryable}
        if isinstance(cause, InvalidInputError):
            extensions["field"] = camel_case(cause.field)
        return GraphQLError(
            public_message(cause), nodes=error.nodes, path=error.path, extensions=extensions
        )
    if isinstance(cause, GraphQLError):
        return error
    if isinstance(cause, CannotGetOperationTypeError):
        return GraphQLError(UNKNOWN_OPERATION, extensions={"code": "BAD_REQUEST"})
    if isinstance(cause, RecursionError):
        return GraphQLError("the document is nested too deeply", extensions={"code": "TOO_DEEP"})
    _log.error("graphql.failed", correlation_id=correlation_id, path=error.path, exc_info=cause)
    return GraphQLError(
        "internal error",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL", "correlationId": correlation_id},
    )


def _without_suggestion(error: GraphQLError) -> GraphQLError:
    # The library's switch covers fields only, not arguments, types, enums and directives.
    told, _, suggestion = error.message.partition(" Did you mean ")
    if not suggestion:
        return error
    return GraphQLError(told, nodes=error.nodes, path=error.path, extensions=error.extensions)


def extensions_of(*, development: bool) -> list[Callable[[], SchemaExtension]]:
    """Return the extensions of a schema; introspection is open in development only."""
    rules = _RULES if development else _PRODUCTION_RULES
    return [
        lambda: TellFailures(suggests=development),
        lambda: MaxTokensLimiter(QUERY_TOKENS_MAX),
        lambda: AddValidationRules(rules),
        lambda: ParserCache(DOCUMENTS_CACHED_MAX),
        lambda: ValidationCache(DOCUMENTS_CACHED_MAX),
    ]
