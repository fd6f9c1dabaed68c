"""Updates of subscriptions that are told by a plan: the same as graphql-core tells."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final, Union

import graphql
import pytest
import strawberry
from graphql import ExecutionResult, OperationDefinitionNode, parse

from api.graphql.completing import Complete
from api.graphql.plan import update_plans_of


@strawberry.interface
class Told:
    """What every update says."""

    number: int


@strawberry.type
class Word:
    """A word."""

    text: str

    @strawberry.field
    async def twice(self) -> str:
        """Wait for it."""
        return self.text * 2

    @strawberry.field
    def times(self, count: int = 1) -> str:
        """Return it so often."""
        return self.text * count


@strawberry.type
class Said(Told):
    """Something was said."""

    words: list[Word]


@strawberry.type
class Silence(Told):
    """Nothing was said."""


Heard = Annotated[Union[Said, Silence], strawberry.union("Heard")]  # noqa: UP007 - as strawberry has it


@strawberry.type
class Query:
    """It must have one."""

    nothing: int = 0


@strawberry.type
class Subscription:
    """What is heard."""

    @strawberry.subscription
    async def heard(self, topic: str) -> AsyncGenerator[Heard]:
        """Hear something."""
        yield Silence(number=len(topic))


SCHEMA: Final = strawberry.Schema(Query, subscription=Subscription)._schema  # pyright: ignore[reportPrivateUsage]
SAID: Final = Said(number=7, words=[Word(text="a"), Word(text="b")])
SILENCE: Final = Silence(number=8)
CORE: Final[Any] = graphql


def plans(query: str) -> dict[type, Complete]:
    document = parse(query)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return dict(update_plans_of(SCHEMA, document, operation))


async def by_core(query: str, update: object) -> Any:  # noqa: ANN401 - JSON
    built = CORE.Executor.build(SCHEMA, parse(query), raw_variable_values={"topic": "x"})
    running = CORE.execute_subscription_event(built.build_per_event_executor(update))
    result: ExecutionResult = await running if CORE.pyutils.is_awaitable(running) else running
    assert result.errors is None
    return result.data


@pytest.mark.parametrize("update", [SAID, SILENCE])
@pytest.mark.parametrize(
    "selection",
    [
        "{ __typename }",
        "{ ... on Told { number } }",
        "{ ... on Said { words { text t: times(count: 3) } number } ... on Silence { number } }",
        "{ ... on Said { words { twice text } } ... on Told { number } __typename }",
        "{ ...F } fragment F on Said { number ... on Told { n: number } }",
    ],
)
async def test_an_update_is_told_as_graphql_core_tells_it(selection: str, update: object) -> None:
    query = f"subscription S($topic: String!) {{ said: heard(topic: $topic) {selection}"
    query = query.replace(" fragment", " } fragment") if "fragment" in query else f"{query} }}"
    told: Any = plans(query)[type(update)](update, None)  # pyright: ignore[reportArgumentType]
    data = await told if CORE.pyutils.is_awaitable(told) else told
    assert data == await by_core(query, update)
    assert list(data) == ["said"]


@pytest.mark.parametrize(
    "query",
    [
        "subscription S($n: Int!) { heard { ... on Said { words { times(count: $n) } } } }",
        'subscription S { heard(topic: "x") @include(if: true) { __typename } }',
        'subscription S { heard(topic: "x") { ... on Said @skip(if: false) { number } } }',
        'subscription S { ...F } fragment F on Subscription { heard(topic: "x") { __typename } }',
    ],
)
def test_what_depends_on_more_has_no_plan(query: str) -> None:
    assert plans(query) == {}
