"""Queries worked out ahead: what a document asks for is the same with every request.

graphql-core decides anew for each field of each object what to do with it, which costs more than
all the rest of a request. A plan decides once. It is made for plain queries alone: without
variables, directives, interfaces and unions. And it only knows how things go well: whatever goes
wrong is executed again by graphql-core, which says how.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, cast

import graphql
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.pyutils import Path
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema_converter import GraphQLCoreConverter

from api.graphql.completing import (
    Complete,
    CoreType,
    Field,
    Value,
    leaf,
    not_null,
    nullable,
    plain_list,
    plain_object,
    told,
    waiting_list,
    waiting_nullable,
    waiting_object,
)
from api.graphql.sharing import inner_variables
from api.request import Info, RequestContext

# Its annotations are too loose for strict typing.
_core: Final = cast("Any", graphql)
_TYPENAME: Final = "__typename"
# Beyond it graphql-core executes, which writes no fragment out.
PLAN_NODES_MAX: Final = 2000
_NO_VARIABLES: Final = VariableValues({}, {})


class NotPlainError(Exception):
    """The operation is more than a plan can do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A query that was worked out."""

    complete: Callable[[None, RequestContext], Awaitable[dict[str, Any]]]

    async def run(self, context: RequestContext) -> dict[str, Any]:
        """Return the data.

        Raises:
            Exception: anything went wrong; graphql-core says what.
        """
        return await self.complete(None, context)


def plan_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    *,
    nodes_max: int = PLAN_NODES_MAX,
) -> Plan | None:
    """Return the plan of a valid operation; None where it is more than a plan can do."""
    if operation.operation is not OperationType.QUERY or operation.variable_definitions:
        return None
    try:
        complete, waits = _Planner(schema, document, operation, nodes_max).whole()
    except NotPlainError:
        return None
    return Plan(complete) if waits else None


def update_plans_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    *,
    nodes_max: int = PLAN_NODES_MAX,
) -> Mapping[type, Complete]:
    """Return how the updates of a subscription are told, by their class; none where no plan can.

    Only where nothing below its top field depends on variables.
    """
    selected = operation.selection_set.selections
    if operation.directives or len(selected) != 1 or not isinstance(selected[0], FieldNode):
        return {}
    if selected[0].directives or inner_variables(document, operation):
        return {}
    try:
        return dict(_Planner(schema, document, operation, nodes_max).updates(selected[0]))
    except NotPlainError:
        return {}


class _Planner:
    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        nodes_max: int = PLAN_NODES_MAX,
    ) -> None:
        self._schema: Any = schema
        self._nodes_max = nodes_max
        self._operation = operation
        # Of an update the class says which type it is.
        self._knows_types = operation.operation is OperationType.SUBSCRIPTION
        self._written = 0
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def whole(self) -> tuple[Complete, bool]:
        if self._operation.directives:
            raise NotPlainError
        return self._object(self._schema.query_type, [self._operation.selection_set])

    def updates(self, node: FieldNode) -> Iterator[tuple[type, Complete]]:
        """Return how each type that the field may be is told."""
        field = self._schema.subscription_type.fields.get(node.name.value)
        union: CoreType = _core.get_nullable_type(field.type) if field else None
        if not _core.is_union_type(union):
            raise NotPlainError
        key = node.alias.value if node.alias else node.name.value
        for kind in union.types:
            complete, waits = self._object(kind, [node.selection_set])
            known = kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
            yield known.origin, told(key, complete, waits=waits)

    def _object(
        self, kind: CoreType, selected: Sequence[SelectionSetNode | None]
    ) -> tuple[Complete, bool]:
        nodes: dict[str, list[FieldNode]] = {}
        for each in selected:
            self._collect(kind, each, nodes)
        fields = [self._field(kind, key, found) for key, found in nodes.items()]
        if any(field.waits or field.resolve is not None for field in fields):
            return waiting_object(fields), True
        return plain_object(fields), False

    def _collect(
        self, kind: CoreType, selected: SelectionSetNode | None, nodes: dict[str, list[FieldNode]]
    ) -> None:
        for node in selected.selections if selected else ():
            self._written += 1
            # Sixty fragments that each use the next one twice are 2^60 fields, written out.
            if node.directives or self._written > self._nodes_max:
                raise NotPlainError
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                nodes.setdefault(key, []).append(node)
                continue
            fragment = (
                self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            )
            condition = cast("InlineFragmentNode", fragment).type_condition
            if condition is not None and condition.name.value != kind.name:
                if not self._knows_types:
                    raise NotPlainError
                if not self._is(kind, condition.name.value):
                    continue
            self._collect(kind, cast("InlineFragmentNode", fragment).selection_set, nodes)

    def _is(self, kind: CoreType, name: str) -> bool:
        asked = self._schema.type_map[name]
        return _core.is_abstract_type(asked) and self._schema.is_sub_type(asked, kind)

    def _field(self, kind: CoreType, key: str, nodes: list[FieldNode]) -> Field:
        name = nodes[0].name.value
        if name == _TYPENAME:
            return Field(key, lambda value, _: value, waits=False, read=lambda _: kind.name)
        definition = kind.fields.get(name)
        known = definition and definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        # Who asks, and what is kept of it, is decided by extensions: they are not run twice.
        if known is None or known.extensions or definition.resolve is None:
            raise NotPlainError
        complete, waits = self._value(definition.type, [node.selection_set for node in nodes])
        if getattr(definition.resolve, "_is_default", False):
            return Field(key, complete, waits, read=attrgetter(known.python_name))
        return Field(key, complete, waits, resolve=self._resolver(kind, key, definition, nodes))

    def _resolver(
        self, kind: CoreType, key: str, definition: CoreType, nodes: list[FieldNode]
    ) -> Callable[[Value, RequestContext], Value]:
        given = get_argument_values(definition, nodes[0], _NO_VARIABLES)
        before = (
            nodes[0].name.value,
            nodes,
            definition.type,
            kind,
            Path(None, key, kind.name),
            self._schema,
            self._fragments,
            None,
            self._operation,
            _NO_VARIABLES,
        )
        resolve, make_info = definition.resolve, _core.GraphQLResolveInfo

        def called(source: Value, context: RequestContext) -> Value:
            info = make_info(*before, context, optimized_is_awaitable, None, None)
            return resolve(source, info, **given)

        field = definition.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        method = field.base_resolver
        if given or method.self_parameter is None or method.info_parameter is None:
            return called
        # Nothing is left for the library to convert: its five calls around each are spared.
        name = method.info_parameter.name

        def called_itself(source: Value, context: RequestContext) -> Value:
            info = make_info(*before, context, optimized_is_awaitable, None, None)
            return method(source, **{name: Info(info, field)})

        return called_itself

    def _value(
        self, kind: CoreType, selected: Sequence[SelectionSetNode | None]
    ) -> tuple[Complete, bool]:
        if not _core.is_non_null_type(kind):
            complete, waits = self._present(kind, selected)
            return (waiting_nullable if waits else nullable)(complete), waits
        complete, waits = self._present(kind.of_type, selected)
        # Leaves and lists refuse None by themselves.
        is_object = _core.is_object_type(kind.of_type)
        return not_null(complete) if is_object else complete, waits

    def _present(
        self, kind: CoreType, selected: Sequence[SelectionSetNode | None]
    ) -> tuple[Complete, bool]:
        if _core.is_list_type(kind):
            complete, waits = self._value(kind.of_type, selected)
            return (waiting_list if waits else plain_list)(complete), waits
        if _core.is_leaf_type(kind):
            return leaf(kind), False
        if _core.is_object_type(kind):
            return self._object(kind, selected)
        raise NotPlainError
