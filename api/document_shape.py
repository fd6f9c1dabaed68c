"""How large a document is, counted in linear time before anything looks closer at it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from graphql import (
    DirectiveNode,
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

from api.config import (
    QUERY_ALIASES_MAX,
    QUERY_DEPTH_MAX,
    QUERY_DIRECTIVES_MAX,
    QUERY_FIELDS_MAX,
    QUERY_NESTING_MAX,
    QUERY_REPEATS_MAX,
)

_INTROSPECTION: Final = "__"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a selection comes to with every fragment written out.

    Attributes:
        depth: Levels of fields below the first; introspection has a rule of its own.
        nesting: Levels of braces, of fragments too.
        aliases: Aliases, each as often as its fragment is used.
    """

    depth: int = 0
    nesting: int = 0
    aliases: int = 0


class ShapeMeter:
    """Measures one document.

    Sixty fragments that each use the next one twice write out to 2^60 selections, and validation
    holds up every other request: each fragment is therefore measured once.
    """

    def __init__(self, document: DocumentNode) -> None:
        self.directives = 0
        self.repeats = 0
        self.fields = 0
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, Shape] = {}

    def measure(self, selected: SelectionSetNode | None) -> Shape:
        """Return what the selections between one pair of braces come to."""
        return Shape() if selected is None else self._inside(selected)

    def count_directives(self, directives: tuple[DirectiveNode, ...] | None) -> None:
        """Count what stands behind one node."""
        self.directives += len(directives or ())

    def _inside(self, selected: SelectionSetNode) -> Shape:
        shapes = [self._of(node) for node in selected.selections]
        return Shape(
            depth=max((shape.depth for shape in shapes), default=0),
            nesting=1 + max((shape.nesting for shape in shapes), default=0),
            aliases=sum(shape.aliases for shape in shapes),
        )

    def _of(self, node: SelectionNode) -> Shape:
        self.count_directives(node.directives)
        if isinstance(node, FragmentSpreadNode):
            return self.of_fragment(node.name.value)
        if isinstance(node, InlineFragmentNode):
            return self._inside(node.selection_set)
        return self._of_field(node) if isinstance(node, FieldNode) else Shape()

    def _of_field(self, node: FieldNode) -> Shape:
        below = self.measure(node.selection_set)
        is_counted = bool(node.selection_set) and not node.name.value.startswith(_INTROSPECTION)
        return Shape(
            depth=below.depth + 1 if is_counted else 0,
            nesting=below.nesting,
            aliases=below.aliases + bool(node.alias),
        )

    def of_fragment(self, name: str) -> Shape:
        """Return what a fragment comes to wherever it is used."""
        if name not in self._known:
            # A fragment that uses itself is refused by another rule; here it must only end.
            self._known[name] = Shape()
            fragment = self._fragments.get(name)
            self.count_directives(fragment.directives if fragment else None)
            self._known[name] = self.measure(fragment.selection_set if fragment else None)
        return self._known[name]

    def count_repeats(self, merged: Sequence[SelectionSetNode]) -> None:
        """Count the fields of one name that validation compares with each other.

        It takes the square of them: 500 are 125,000 comparisons, and again for what is below.

        Args:
            merged: Selections of one object: those of fields of one name belong together.
        """
        below: dict[str, list[SelectionSetNode]] = {}
        names: Counter[str] = Counter()
        for field in self._fields(merged, set()):
            self.fields += 1
            name = (field.alias or field.name).value
            names[name] += 1
            self.repeats = max(self.repeats, names[name])
            if self.repeats > QUERY_REPEATS_MAX or self.fields > QUERY_FIELDS_MAX:
                return
            if field.selection_set:
                below.setdefault(name, []).append(field.selection_set)
        for selected in below.values():
            self.count_repeats(selected)

    def _fields(self, merged: Sequence[SelectionSetNode], used: set[str]) -> Iterator[FieldNode]:
        for node in (node for selected in merged for node in selected.selections):
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields([node.selection_set], used)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in used:
                used.add(node.name.value)
                fragment = self._fragments.get(node.name.value)
                if fragment is not None:
                    yield from self._fields([fragment.selection_set], used)


def check_shape(document: DocumentNode) -> None:
    """Refuse a document beyond any limit, with one error.

    Raises:
        GraphQLError: it names the first limit that is broken.
    """
    meter = ShapeMeter(document)
    shapes: list[Shape] = []
    selected: list[SelectionSetNode] = []
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            meter.count_directives(node.directives)
            for variable in node.variable_definitions or ():
                meter.count_directives(variable.directives)
            shapes.append(meter.measure(node.selection_set))
            selected.append(node.selection_set)
        elif isinstance(node, FragmentDefinitionNode):
            meter.of_fragment(node.name.value)
    depth = max((shape.depth for shape in shapes), default=0)
    nesting = max((shape.nesting for shape in shapes), default=0)
    aliases = sum(shape.aliases for shape in shapes)
    if max(depth, nesting) <= QUERY_NESTING_MAX:
        for one in selected:
            meter.count_repeats([one])
    for code, name, found, most in (
        ("TOO_DEEP", "depth", depth, QUERY_DEPTH_MAX),
        ("TOO_DEEP", "nesting", nesting, QUERY_NESTING_MAX),
        ("TOO_MANY_ALIASES", "aliases", aliases, QUERY_ALIASES_MAX),
        ("TOO_MANY_DIRECTIVES", "directives", meter.directives, QUERY_DIRECTIVES_MAX),
        ("TOO_MANY_REPEATS", "fields of one name", meter.repeats, QUERY_REPEATS_MAX),
        ("TOO_MANY_FIELDS", "fields, fragments written out", meter.fields, QUERY_FIELDS_MAX),
    ):
        if found > most:
            raise GraphQLError(f"{name}: expected at most {most}", extensions={"code": code})
