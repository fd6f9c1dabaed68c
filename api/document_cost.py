"""What an operation may cost, in points, before it runs.

An object is a point, a write or a subscription ten; what a page or a list holds counts as often
as the page has places, or LIST_ITEMS_ASSUMED times. Places near by that are compared by money are
all priced for it, however few of them the page shows: a point each.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_composite_type,
)
from graphql.language import InlineFragmentNode

from api.config import PAGE_SIZE_MAX
from parking.flows.guidance.nearby import CANDIDATES_MAX, NearbyOrder

ACT_POINTS: Final = 10
LIST_ITEMS_ASSUMED: Final = 5
_PAGE: Final = "first"
_COMPARING: Final = "nearbyPlaces"
_ORDER: Final = "order"
_NO_VARIABLES: Final[Mapping[str, Any]] = {}


class CostMeter:
    """Counts the points of one operation of a valid document.

    Attributes:
        depends: Whether a variable decided: then each request is counted anew.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        self.depends = False
        self._schema = schema
        self._variables = variables or _NO_VARIABLES
        self._defaults: dict[str, int | str] = {}
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        # By page size too: a fragment on a connection costs what its page holds.
        self._known: dict[tuple[str, int], int] = {}

    def points(self, operation: OperationDefinitionNode) -> int:
        """Return what the operation costs."""
        for variable in operation.variable_definitions or ():
            if isinstance(variable.default_value, IntValueNode):
                self._defaults[variable.variable.name.value] = int(variable.default_value.value)
            elif isinstance(variable.default_value, EnumValueNode):
                self._defaults[variable.variable.name.value] = variable.default_value.value
        root = self._schema.get_root_type(operation.operation)
        inside = self._inside(operation.selection_set, root, LIST_ITEMS_ASSUMED)
        if operation.operation is OperationType.QUERY:
            return inside
        return inside + ACT_POINTS * len(operation.selection_set.selections)

    def _inside(
        self, selected: SelectionSetNode, parent: GraphQLNamedType | None, items: int
    ) -> int:
        points = 0
        for node in selected.selections:
            if isinstance(node, FieldNode):
                points += self._of_field(node, parent, items)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                kind = self._schema.get_type(condition.name.value) if condition else parent
                points += self._inside(node.selection_set, kind, items)
            elif isinstance(node, FragmentSpreadNode):
                points += self._of_fragment(node.name.value, items)
        return points

    def _of_field(self, node: FieldNode, parent: GraphQLNamedType | None, items: int) -> int:
        found = _field_of(parent, node.name.value)
        if found is None or node.selection_set is None:
            return 0
        told: Any = cast("Any", found).type
        kind = cast("GraphQLNamedType", get_named_type(told))
        if not is_composite_type(kind):
            return 0
        # As it is written: `[Session!]!`.
        is_list = str(told).startswith("[")
        size = self._page_size(node, found)
        below = self._inside(
            node.selection_set, kind, LIST_ITEMS_ASSUMED if size is None or is_list else size
        )
        own = 1 + (CANDIDATES_MAX if self._compares(node) else 0)
        return (own + below) * ((items if size is None else size) if is_list else 1)

    def _compares(self, node: FieldNode) -> bool:
        if node.name.value != _COMPARING:
            return False
        orders = [
            self._given(one.value) for one in node.arguments or () if one.name.value == _ORDER
        ]
        return any(order not in {None, NearbyOrder.DISTANCE.name} for order in orders)

    def _of_fragment(self, name: str, items: int) -> int:
        if (name, items) not in self._known:
            fragment = self._fragments[name]
            kind = self._schema.get_type(fragment.type_condition.name.value)
            self._known[name, items] = self._inside(fragment.selection_set, kind, items)
        return self._known[name, items]

    def _page_size(self, node: FieldNode, found: GraphQLField) -> int | None:
        if _PAGE not in found.args:
            return None
        default: Any = found.args[_PAGE].default_value
        value: object = default
        for argument in node.arguments or ():
            if argument.name.value == _PAGE:
                value = self._given(argument.value)
        # What is no number is refused when it is executed.
        size = value if isinstance(value, int) else PAGE_SIZE_MAX
        return min(max(size, 1), PAGE_SIZE_MAX)

    def _given(self, value: object) -> object:
        if isinstance(value, VariableNode):
            self.depends = True
            name = value.name.value
            return self._variables.get(name, self._defaults.get(name))
        if isinstance(value, EnumValueNode):
            return value.value
        return int(value.value) if isinstance(value, IntValueNode) else None


def _field_of(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    if isinstance(parent, (GraphQLObjectType, GraphQLInterfaceType)):
        return cast("dict[str, GraphQLField]", parent.fields).get(name)
    return None
