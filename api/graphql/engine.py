"""Executes operations of one schema; HTTP and sockets share it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Final, Protocol, cast

import graphql
import orjson
import strawberry
import structlog
from graphql import ExecutionResult, GraphQLError, OperationType
from strawberry.execution import optimized_is_awaitable

from api.config import (
    ERRORS_MAX,
    OPERATION_POINTS_MAX,
    OPERATION_TIMEOUT_S,
    READ_CHARACTERS_PER_POINT,
    READ_POINTS,
    REQUEST_POINTS,
)
from api.graphql.asked import Asked
from api.graphql.documents import Document, DocumentCache, DocumentReader, Operation, digest_of
from api.graphql.refused import DocumentRefusedError, RequestRefusedError
from api.graphql.trusted import TrustedDocuments, read_manifest
from api.graphql.wording import told_errors
from api.request import RequestContext

# Its annotations are too loose for strict typing.
_core: Final = cast("Any", graphql)
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Charge(Protocol):
    """Takes points from whoever asks, or refuses."""

    async def __call__(self, context: RequestContext, points: int, *, leases: bool = True) -> None:
        """Take points; `leases`: and some more at once, for what is asked for soon."""
        ...


# Codes and words of Apollo's protocols: its clients act on them.
NOT_FOUND: Final = ("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
NOT_IN_LIST: Final = ("PERSISTED_QUERY_NOT_IN_LIST", "only documents of the manifest are executed")
NOT_SAFELISTED: Final = ("QUERY_NOT_IN_SAFELIST", "only documents of the manifest are executed")
TIMED_OUT: Final = ("TIMEOUT", "the operation took too long")
MISMATCH: Final = "provided sha does not match query"


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that may run, with what came for it."""

    operation: Operation
    variables: Mapping[str, Any] | None
    points: int
    wants_cost: bool

    @property
    def kind(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.operation.node.operation


class Engine:
    """One schema's execution, straight on graphql-core.

    Args:
        schema: What is served.
        development: Introspection and suggestions are open.
        manifest: Of trusted documents, as it is in its file.
        trusted_only: Whether nothing but trusted documents is executed.
        charge: Takes points from whoever asks, or refuses; None where all is free.

    Raises:
        InvalidInputError: the manifest cannot be used.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        development: bool,
        manifest: bytes | None = None,
        trusted_only: bool = False,
        charge: Charge | None = None,
    ) -> None:
        self._charge = charge
        core = schema._schema  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no other way
        self._schema = core
        self._reader = DocumentReader(core, development=development)
        self._cache = DocumentCache()
        self._trusted = (
            TrustedDocuments()
            if manifest is None
            else read_manifest(manifest, self._reader, only=trusted_only)
        )
        self._options: dict[str, Any] = {
            "max_coercion_errors": ERRORS_MAX,
            "executor_class": cast("Any", schema).execution_context_class,
            "hide_suggestions": not development,
        }

    async def admit(self, asked: Asked, context: RequestContext) -> Prepared:
        """Prepare an operation for whoever may still ask for it; raises as `prepare`, too.

        Raises:
            RequestRefusedError: too much was asked for.
        """
        try:
            document = self._known(asked)
            prepared = None if document is None else self._prepared(document, asked)
        except (DocumentRefusedError, RequestRefusedError):
            # Ids that nobody knows, and what costs too much, are not for nothing either.
            await self._take(context, REQUEST_POINTS)
            raise
        if prepared is None:
            # Reading a document takes longer than running most: strangers pay before.
            length = len(asked.query or "") // READ_CHARACTERS_PER_POINT
            await self._take(context, READ_POINTS + length)
            prepared = self._prepared(self._read(asked), asked)
        # Who follows something asks for nothing more soon.
        leases = prepared.kind is not OperationType.SUBSCRIPTION
        await self._take(context, REQUEST_POINTS + prepared.points, leases=leases)
        return prepared

    async def _take(self, context: RequestContext, points: int, *, leases: bool = True) -> None:
        if self._charge is not None:
            await self._charge(context, points, leases=leases)

    def prepare(self, asked: Asked) -> Prepared:
        """Find the operation that is asked for.

        Raises:
            DocumentRefusedError: its document cannot be executed, or it costs too much.
            RequestRefusedError: there is no such operation.
        """
        return self._prepared(self._known(asked) or self._read(asked), asked)

    def _prepared(self, document: Document, asked: Asked) -> Prepared:
        operation = document.operation(asked.operation_name)
        points = operation.points_with(asked.variables)
        if points > OPERATION_POINTS_MAX:
            raise _refused("TOO_COSTLY", f"cost: expected at most {OPERATION_POINTS_MAX} points")
        return Prepared(operation, asked.variables, points, asked.wants_cost)

    async def execute(self, prepared: Prepared, context: RequestContext) -> dict[str, Any]:
        """Run a query or a mutation; returns the answer.

        Raises:
            DocumentRefusedError: a variable does not fit.
        """
        if prepared.operation.plan is not None:
            try:
                data = await prepared.operation.plan.run(context)
            except Exception:  # noqa: BLE001 - what it is, graphql-core says below
                context.begin_again()
            else:
                return answer_of(ExecutionResult(data), prepared, context)
        running = _core.execute(
            self._schema,
            prepared.operation.document,
            context_value=context,
            is_awaitable=optimized_is_awaitable,
            **self._given(prepared),
        )
        result = await running if isawaitable(running) else running
        return answer_of(result, prepared, context)

    async def stream(self, prepared: Prepared, context: RequestContext) -> AsyncGenerator[str]:
        """Run any operation; yields its answers as JSON: one, or those of a subscription.

        Raises:
            DocumentRefusedError: a variable does not fit.
            RequestRefusedError: a query or a mutation took too long.
        """
        if prepared.kind is not OperationType.SUBSCRIPTION:
            yield orjson.dumps(await self._execute_in_time(prepared, context)).decode()
            return
        started = _core.create_source_event_stream(self._executor(prepared, context))
        if isawaitable(started):
            started = await started
        if isinstance(started, ExecutionResult):
            raise DocumentRefusedError(started.errors or ())
        key = sharing_key(prepared)
        updates = cast("AsyncGenerator[object]", started)
        del started
        async with aclosing(updates):
            async for update in updates:
                encodings = getattr(update, "encodings", None)
                if encodings is None:
                    yield await self._execute_update(prepared, update, context)
                    continue
                payload = encodings.find(key)
                if payload is None:
                    payload = await self._execute_update(prepared, update, encodings.context)
                    encodings.keep(key, payload)
                yield payload
                # A frame that waits for the next one would keep them, with all that was read.
                del update, encodings, payload

    async def _execute_in_time(self, prepared: Prepared, context: RequestContext) -> dict[str, Any]:
        try:
            # Nobody else ends what came over a socket; a key's lease counts on its end.
            async with asyncio.timeout(OPERATION_TIMEOUT_S):
                return await self.execute(prepared, context)
        except TimeoutError as error:
            _log.warning("graphql.timeout", correlation_id=context.correlation_id)
            raise RequestRefusedError(503, *TIMED_OUT) from error

    async def _execute_update(
        self, prepared: Prepared, update: object, context: RequestContext
    ) -> str:
        plan = prepared.operation.update_plans.get(type(update))
        if plan is not None:
            try:
                told = plan(update, context)
                data = await told if isawaitable(told) else told
            except Exception:  # noqa: BLE001 - what it is, graphql-core says below
                context.begin_again()
            else:
                return orjson.dumps(answer_of(ExecutionResult(data), prepared, context)).decode()
        executor = self._executor(prepared, context).build_per_event_executor(update)
        running = _core.execute_subscription_event(executor)
        result = await running if isawaitable(running) else running
        return orjson.dumps(answer_of(result, prepared, context)).decode()

    def _executor(self, prepared: Prepared, context: RequestContext) -> Any:  # noqa: ANN401 - see `_core`
        given = self._given(prepared)
        executor_class = given.pop("executor_class")
        built = executor_class.build(
            self._schema,
            prepared.operation.document,
            context_value=context,
            raw_variable_values=given.pop("variable_values"),
            is_awaitable=optimized_is_awaitable,
            **given,
        )
        if isinstance(built, list):
            raise DocumentRefusedError(cast("list[GraphQLError]", built))
        return built

    def _given(self, prepared: Prepared) -> dict[str, Any]:
        name = prepared.operation.node.name
        return {
            **self._options,
            "variable_values": prepared.variables,
            "operation_name": name.value if name else None,
        }

    def _known(self, asked: Asked) -> Document | None:
        """Return a trusted document, or one that was read before; None for a new text."""
        trusted = self._trusted
        if asked.query is None:
            document_id = asked.document_id or ""
            return trusted.by_id.get(document_id) or self._persisted(document_id)
        digest = digest_of(asked.query)
        found = trusted.by_digest.get(digest)
        if asked.document_id not in (None, digest) and (
            found is None or trusted.by_id.get(asked.document_id or "") is not found
        ):
            raise RequestRefusedError(400, "BAD_REQUEST", MISMATCH)
        if found is None and trusted.only:
            raise _refused(*NOT_SAFELISTED)
        return found or self._cache.get(digest)

    def _persisted(self, digest: str) -> Document:
        """Return a document that somebody sent the text of: Apollo's automatic persisted query."""
        if self._trusted.only:
            raise _refused(*NOT_IN_LIST)
        document = self._cache.get(digest)
        if document is None:
            raise _refused(*NOT_FOUND)
        return document

    def _read(self, asked: Asked) -> Document:
        if not asked.query:
            raise RequestRefusedError(400, "BAD_REQUEST", "query: expected a document")
        document = self._reader.read(asked.query)
        self._cache.keep(digest_of(asked.query), document)
        return document


def sharing_key(prepared: Prepared) -> object:
    """Return what two subscribers of one update must have in common to be sent the same.

    What the arguments of the field depend on is left out: they say what is watched, and whoever
    is given the same update watches the same.
    """
    operation, variables = prepared.operation, prepared.variables or {}
    inner = {name: variables[name] for name in operation.inner_variables if name in variables}
    return operation, orjson.dumps(inner, option=orjson.OPT_SORT_KEYS), prepared.wants_cost


def _refused(code: str, message: str) -> DocumentRefusedError:
    return DocumentRefusedError([GraphQLError(message, extensions={"code": code})])


def answer_of(
    result: ExecutionResult, prepared: Prepared, context: RequestContext
) -> dict[str, Any]:
    """Return a result as it is sent.

    Raises:
        DocumentRefusedError: it was never executed, for a variable does not fit.
    """
    errors = result.errors
    if errors and result.data is None and all(error.path is None for error in errors):
        raise DocumentRefusedError(errors)
    answer: dict[str, Any] = {}
    if errors:
        answer["errors"] = told_errors(errors, context.correlation_id)
    answer["data"] = result.data
    if prepared.wants_cost:
        answer["extensions"] = {
            "cost": {"points": prepared.points, "pointsMax": OPERATION_POINTS_MAX}
        }
    return answer
