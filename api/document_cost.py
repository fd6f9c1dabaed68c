"""How deep a document goes and how many aliases it has, counted in linear time."""

from dataclasses import dataclass
from typing import Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)
from graphql.language import InlineFragmentNode
from graphql.validation import ASTValidationContext

from api.config import QUERY_ALIASES_MAX, QUERY_DEPTH_MAX

_INTROSPECTION: Final = "__"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a selection costs with every fragment written out.

    Attributes:
        depth: Levels of fields below the first; introspection has a rule of its own.
        aliases: Aliases, each as often as its fragment is used.
    """

    depth: int = 0
    aliases: int = 0


class CostMeter:
    """Measures the operations of one document.

    Sixty fragments that each use the next one twice write out to 2^60 selections, and validation
    holds up every other request: each fragment is therefore measured once.
    """

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, Cost] = {}

    def measure(self, selected: SelectionSetNode | None) -> Cost:
        """Return what the selections between one pair of braces cost."""
        costs = [self._of(node) for node in selected.selections] if selected else []
        return Cost(
            depth=max((cost.depth for cost in costs), default=0),
            aliases=sum(cost.aliases for cost in costs),
        )

    def _of(self, node: SelectionNode) -> Cost:
        if isinstance(node, FragmentSpreadNode):
            return self._of_fragment(node.name.value)
        if isinstance(node, InlineFragmentNode):
            return self.measure(node.selection_set)
        return self._of_field(node) if isinstance(node, FieldNode) else Cost()

    def _of_field(self, node: FieldNode) -> Cost:
        below = self.measure(node.selection_set)
        is_counted = bool(node.selection_set) and not node.name.value.startswith(_INTROSPECTION)
        return Cost(
            depth=below.depth + 1 if is_counted else 0,
            aliases=below.aliases + bool(node.alias),
        )

    def _of_fragment(self, name: str) -> Cost:
        if name not in self._known:
            # A fragment that uses itself is refused by another rule; here it must only end.
            self._known[name] = Cost()
            fragment = self._fragments.get(name)
            self._known[name] = self.measure(fragment.selection_set if fragment else None)
        return self._known[name]


class DocumentCostRule(ASTValidationRule):
    """Refuses a document beyond QUERY_DEPTH_MAX or QUERY_ALIASES_MAX."""

    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        meter = CostMeter(context.document)
        costs = [
            meter.measure(node.selection_set)
            for node in context.document.definitions
            if isinstance(node, OperationDefinitionNode)
        ]
        if max((cost.depth for cost in costs), default=0) > QUERY_DEPTH_MAX:
            self._refuse("TOO_DEEP", f"depth: expected at most {QUERY_DEPTH_MAX} levels")
        if sum(cost.aliases for cost in costs) > QUERY_ALIASES_MAX:
            self._refuse("TOO_MANY_ALIASES", f"aliases: expected at most {QUERY_ALIASES_MAX}")

    def _refuse(self, code: str, message: str) -> None:
        self.report_error(GraphQLError(message, extensions={"code": code}))
