"""Documents that are parsed and valid, and the memory of those that came lately."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from api.config import (
    DOCUMENTS_CACHED_BYTES_MAX,
    DOCUMENTS_CACHED_MAX,
    ERRORS_MAX,
    QUERY_TOKENS_MAX,
)
from api.document_cost import CostMeter
from api.document_shape import check_shape
from api.graphql.completing import Complete
from api.graphql.plan import PLAN_NODES_MAX, Plan, plan_of, update_plans_of
from api.graphql.refused import DocumentRefusedError, RequestRefusedError
from api.graphql.sharing import inner_variables

UNKNOWN_OPERATION: Final = "operationName: expected the name of an operation in the document"
# What a parsed document holds in memory for each of its tokens, roughly.
_BYTES_PER_TOKEN: Final = 1500
_RULES: Final[tuple[type[ASTValidationRule], ...]] = (
    *specified_rules,
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)


# Equal to itself only: what was executed for one is no other's, however alike they look.
@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of a valid document.

    Attributes:
        points: What it costs; None where that depends on its variables.
        inner_variables: Of a subscription: those that more depends on than the arguments of its
            top fields.
        plan: What it asks for, worked out ahead; None where that cannot be.
        update_plans: The same of a subscription, by the class of an update.
    """

    schema: GraphQLSchema
    document: DocumentNode
    node: OperationDefinitionNode
    points: int | None
    inner_variables: frozenset[str]
    plan: Plan | None = None
    update_plans: Mapping[type, Complete] = field(default_factory=dict[type, Complete])

    def points_with(self, variables: Mapping[str, Any] | None) -> int:
        """Return what the operation costs with these variables."""
        if self.points is not None:
            return self.points
        return CostMeter(self.schema, self.document, variables).points(self.node)


@dataclass(frozen=True, slots=True)
class Document:
    """A document that may be executed; its operations by their name."""

    operations: Mapping[str | None, Operation]
    size_bytes: int

    def operation(self, name: str | None) -> Operation:
        """Return the named operation, or the only one.

        Raises:
            RequestRefusedError: there is no such operation, or there are several.
        """
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        found = self.operations.get(name) if name is not None else None
        if found is None:
            raise RequestRefusedError(400, "BAD_REQUEST", UNKNOWN_OPERATION)
        return found


class DocumentReader:
    """Reads documents for one schema.

    Args:
        schema: What they are to be valid for.
        development: Introspection and suggestions are open.
    """

    def __init__(self, schema: GraphQLSchema, *, development: bool) -> None:
        self._schema = schema
        self._hides = not development
        self._rules = _RULES if development else (*_RULES, NoSchemaIntrospectionCustomRule)

    def read(self, query: str) -> Document:
        """Parse and validate a document.

        Raises:
            DocumentRefusedError: it cannot be read, is too large, or is not valid.
        """
        try:
            node = parse(query, max_tokens=QUERY_TOKENS_MAX)
            # Before validation, whose rules take the square of what they compare.
            check_shape(node)
            errors = validate(
                self._schema, node, self._rules, ERRORS_MAX, hide_suggestions=self._hides
            )
        except GraphQLError as error:
            raise DocumentRefusedError([error]) from error
        except RecursionError as error:
            told = GraphQLError(
                "the document is nested too deeply", extensions={"code": "TOO_DEEP"}
            )
            raise DocumentRefusedError([told]) from error
        if errors:
            raise DocumentRefusedError(errors)
        size_bytes = len(query) * 4 + (node.token_count or 0) * _BYTES_PER_TOKEN
        return Document(self._operations(node), size_bytes)

    def _operations(self, document: DocumentNode) -> dict[str | None, Operation]:
        found: dict[str | None, Operation] = {}
        nodes = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
        # A hundred operations that use the same fragments cost what one may.
        nodes_max = PLAN_NODES_MAX // max(1, len(nodes))
        for node in nodes:
            meter = CostMeter(self._schema, document)
            points = meter.points(node)
            name = node.name.value if node.name else None
            is_followed = node.operation is OperationType.SUBSCRIPTION
            found[name] = Operation(
                self._schema,
                document,
                node,
                None if meter.depends else points,
                inner_variables(document, node) if is_followed else frozenset(),
                plan_of(self._schema, document, node, nodes_max=nodes_max),
                update_plans_of(self._schema, document, node, nodes_max=nodes_max)
                if is_followed
                else {},
            )
        return found


class DocumentCache:
    """The documents that were asked for last, by the SHA-256 of their text.

    Bounded by their number and by their memory: a stranger can push others' documents out, and
    they are read again; nobody can fill the memory.
    """

    def __init__(self) -> None:
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._documents)

    def get(self, digest: str) -> Document | None:
        """Return a document that was kept."""
        found = self._documents.get(digest)
        if found is not None:
            self._documents.move_to_end(digest)
        return found

    def keep(self, digest: str, document: Document) -> None:
        """Keep a document instead of those that nobody asked for the longest."""
        if digest in self._documents:
            return
        self._documents[digest] = document
        self.size_bytes += document.size_bytes
        while (
            self.size_bytes > DOCUMENTS_CACHED_BYTES_MAX
            or len(self._documents) > DOCUMENTS_CACHED_MAX
        ):
            _, dropped = self._documents.popitem(last=False)
            self.size_bytes -= dropped.size_bytes


def digest_of(query: str) -> str:
    """Return a document's id: the SHA-256 of its text, in hexadecimal."""
    return sha256(query.encode("utf-8", "surrogatepass")).hexdigest()
