"""What a document asks for below a field, so that one statement reads it together."""

from collections.abc import Mapping
from typing import Any, cast

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, SelectionSetNode

from api.request import Info


def asks_for(info: Info, name: str) -> bool:
    """Return whether a field called `name` is asked for right below the one that is resolved.

    One that a directive leaves out counts too: it is read in vain, and nobody is told of it.
    """
    # The library's own way to the fields builds a tree of objects with each request.
    raw = cast("Any", info)._raw_info  # noqa: SLF001
    return any(_has(node.selection_set, name, raw.fragments) for node in raw.field_nodes)


def _has(
    selected: SelectionSetNode | None, name: str, fragments: Mapping[str, FragmentDefinitionNode]
) -> bool:
    if selected is None:
        return False
    for node in selected.selections:
        if isinstance(node, FieldNode):
            if node.name.value == name:
                return True
            continue
        # Validation has refused a fragment that is unknown, or that uses itself.
        below = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
        if _has(getattr(below, "selection_set", None), name, fragments):
            return True
    return False
