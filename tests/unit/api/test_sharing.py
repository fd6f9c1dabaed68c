"""Which subscribers of one update are sent the same text."""

import pytest
from graphql import OperationDefinitionNode, parse

from api.graphql.sharing import inner_variables, known_as


def inner(document: str) -> set[str]:
    node = parse(document)
    operation = node.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return set(inner_variables(node, operation))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("subscription S($id: ID!) { a(id: $id) { b } }", set[str]()),
        ("subscription S($id: ID!) { a(id: $id) { b(id: $id) } }", {"id"}),
        ("subscription S($id: ID!, $c: Boolean!) { a(id: $id) { b @skip(if: $c) } }", {"c"}),
        ("subscription S($id: ID!, $c: Boolean!) { a(id: $id) @include(if: $c) { b } }", {"c"}),
        ("subscription S($id: ID!) { ...F } fragment F on S { a(id: $id) { b } }", {"id"}),
        ("subscription S($x: Int) { a { ...F } } fragment F on A { b(x: {y: [$x]}) }", {"x"}),
    ],
)
def test_only_arguments_of_top_fields_say_what_is_watched(
    document: str, expected: set[str]
) -> None:
    assert inner(document) == expected


def test_values_are_the_same_text_whatever_their_order() -> None:
    first = known_as(["a", "b"], {"b": {"y": 1, "x": [2]}, "a": None, "id": "1"})
    assert first == known_as(["b", "a"], {"a": None, "id": "2", "b": {"x": [2], "y": 1}})
    assert first == b'{"a":null,"b":{"x":[2],"y":1}}'
    # A variable that was not given may have a default value.
    assert known_as(["a"], None) == known_as(["a"], {}) == b"{}"
