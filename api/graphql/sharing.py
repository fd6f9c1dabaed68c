"""What two subscribers of one update must have in common to be sent the same text."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    Node,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)


def inner_variables(document: DocumentNode, operation: OperationDefinitionNode) -> frozenset[str]:
    """Return the variables that more depends on than the arguments of the top fields.

    Those arguments say what is watched: whoever is given the same update watches the same.
    """
    found: set[str] = set()
    for part in _inner_parts(document, operation):
        collector = _Variables()
        visit(part, collector)
        found |= collector.names
    return frozenset(found)


def known_as(names: Iterable[str], variables: Mapping[str, Any] | None) -> bytes:
    """Return the values of some variables as text, the same for the same values."""
    given = variables or {}
    inner = {name: given[name] for name in names if name in given}
    return orjson.dumps(inner, option=orjson.OPT_SORT_KEYS)


def _inner_parts(document: DocumentNode, operation: OperationDefinitionNode) -> Iterable[Node]:
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            yield definition
    for selected in operation.selection_set.selections:
        if not isinstance(selected, FieldNode):
            yield selected
            continue
        yield from selected.directives or ()
        if selected.selection_set is not None:
            yield selected.selection_set


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        """Note a variable's name."""
        self.names.add(node.name.value)
