"""A plan answers as graphql-core does, or leaves it to it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from importlib import import_module
from typing import Any, Final, cast

import orjson
import pytest
import strawberry
from hypothesis import given, settings
from hypothesis import strategies as st

from api.graphql.documents import DocumentReader
from api.graphql.plan import Plan, plan_of
from api.request import RequestContext

# Half of its types are unknown to a type checker.
graphql: Any = import_module("graphql")
AT: Final = datetime(2026, 11, 23, 9, 30, 0, 125000, tzinfo=UTC)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Leaf(Named):
    size: int
    ratio: float
    colour: Colour
    seen_at: datetime | None
    kept: bool


@strawberry.type
class Branch(Named):
    leaves: list[Leaf]
    best: Leaf | None
    tags: list[str | None] | None

    @strawberry.field
    async def slow(self, times: int = 2) -> list[Leaf]:
        await asyncio.sleep(0)
        return self.leaves * times

    @strawberry.field
    def quick(self) -> str | None:
        return None if self.name == "empty" else self.name.upper()

    @strawberry.field
    async def broken(self) -> int:
        raise ValueError("broken")

    @strawberry.field
    async def missing(self) -> str:
        return cast("str", None)


@strawberry.type
class Query:
    @strawberry.field
    async def branches(self) -> list[Branch]:
        return [branch("oak", 2), branch("empty", 0), branch("elm", 1)]

    @strawberry.field
    def one(self) -> Branch | None:
        return branch("ash", 1)

    @strawberry.field
    async def none(self) -> Branch | None:
        return None

    @strawberry.field
    async def named(self) -> Named:
        return leaf(1)


def leaf(size: int) -> Leaf:
    return Leaf(
        name=f"leaf {size}",
        size=size,
        ratio=size / 4,
        colour=Colour.BLUE if size % 2 else Colour.RED,
        seen_at=AT if size else None,
        kept=bool(size),
    )


def branch(name: str, count: int) -> Branch:
    leaves = [leaf(size) for size in range(count)]
    best = leaves[0] if leaves else None
    return Branch(name=name, leaves=leaves, best=best, tags=[name, None] if count else None)


SCHEMA: Final[Any] = strawberry.Schema(Query, types=[Leaf])._schema  # pyright: ignore[reportPrivateUsage]
CONTEXT: Final = cast("RequestContext", None)


@dataclass(frozen=True)
class Answers:
    planned: Any
    executed: Any
    errors: Any


def plan(document: str) -> Plan | None:
    # Without the limits of the endpoint, some of which a document made by chance goes beyond.
    node = graphql.parse(document)
    assert graphql.validate(SCHEMA, node) == []
    return plan_of(SCHEMA, node, node.definitions[0])


def answers(document: str) -> Answers:
    async def both() -> Answers:
        made = plan(document)
        assert made is not None
        running = graphql.execute(SCHEMA, graphql.parse(document))
        result = await running if asyncio.iscoroutine(running) else running
        try:
            planned = await made.run(CONTEXT)
        except Exception as error:  # noqa: BLE001 - whatever it is, graphql-core is asked
            planned = error
        return Answers(planned, result.data, result.errors)

    return asyncio.run(both())


LEAF_FIELDS: Final = ("name", "size", "ratio", "colour", "seenAt", "kept", "__typename", "s: size")
BRANCH_FIELDS: Final = ("name", "quick", "tags", "__typename", "again: name")
leaves = st.lists(st.sampled_from(LEAF_FIELDS), min_size=1, max_size=5).map(" ".join)
below = st.one_of(
    st.sampled_from(BRANCH_FIELDS),
    leaves.map("leaves {{ {} }}".format),
    leaves.map("best {{ {} }}".format),
    leaves.map("slow {{ {} }}".format),
    leaves.map("thrice: slow(times: 3) {{ {} }}".format),
    leaves.map("... on Branch {{ best {{ {} }} }}".format),
    leaves.map("... {{ leaves {{ {} }} }}".format),
)
branches = st.lists(below, min_size=1, max_size=6).map(" ".join)
roots = st.lists(
    st.one_of(
        branches.map("branches {{ {} }}".format),
        branches.map("one {{ {} }}".format),
        branches.map("none {{ {} }}".format),
        st.just("__typename"),
    ),
    min_size=1,
    max_size=3,
).map(lambda parts: f"{{ {' '.join(parts)} branches {{ slow {{ name }} }} }}")


@settings(derandomize=True)
@given(roots)
def test_it_answers_as_graphql_core_in_the_same_order(document: str) -> None:
    found = answers(document)
    assert found.errors is None
    # As text: the order of the keys is part of the answer.
    assert orjson.dumps(found.planned) == orjson.dumps(found.executed)


def test_a_named_fragment_is_written_out() -> None:
    document = (
        "{ one { ...all best { size } quick } } fragment all on Branch { name best { name } }"
    )
    found = answers(document)
    assert found.planned == {
        "one": {"name": "ash", "best": {"name": "leaf 0", "size": 0}, "quick": "ASH"}
    }
    assert orjson.dumps(found.planned) == orjson.dumps(found.executed)


@pytest.mark.parametrize("field", ["broken", "missing"])
def test_what_goes_wrong_is_left_to_graphql_core(field: str) -> None:
    found = answers(f"{{ branches {{ name slow {{ name }} {field} }} }}")
    assert isinstance(found.planned, Exception)
    assert [error.path[:2] for error in found.errors] == [["branches", 0]]


@pytest.mark.parametrize(
    "document",
    [
        "query ($times: Int!) { branches { slow(times: $times) { name } } }",
        "{ branches { name @include(if: false) slow { name } } }",
        "{ branches { ... @skip(if: true) { name } slow { name } } }",
        "{ named { name } }",
        "{ one { ... on Named { name } } }",
        "{ __schema { types { name } } }",
    ],
)
def test_what_is_not_plain_has_no_plan(document: str) -> None:
    assert plan(document) is None


def test_a_mutation_is_never_planned() -> None:
    document = graphql.parse("mutation { __typename }")
    assert plan_of(SCHEMA, document, document.definitions[0]) is None


def test_the_operations_of_a_document_share_what_one_may_write_out() -> None:
    levels = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(8))
    fragments = f"{levels} fragment F8 on Query {{ branches {{ name }} __typename }}"
    reader = DocumentReader(SCHEMA, development=False)
    alone = reader.read(f"query A {{ ...F0 }} {fragments}")
    assert alone.operations["A"].plan is not None
    both = reader.read(f"query A {{ ...F0 }} query B {{ branches {{ name }} }} {fragments}")
    assert both.operations["A"].plan is None
    assert both.operations["B"].plan is not None
