"""A list of many costs the statements of a list of few, with everything below it asked for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import isawaitable
from typing import Any, Final, cast

import pytest

from api.config import ApiConfig
from api.request import RequestContext
from tests.factories.api import CLIENT_ADDRESS, ApiWorld
from tests.factories.many_rows import copy_everything
from tests.factories.schema_walk import PUBLIC_KINDS, Call, Ids, documents, selection
from tests.factories.statements import collected
from tests.factories.walked_world import (
    DRIVERS,
    GIVEN,
    PUBLIC,
    Asker,
    Stage,
    owned,
    set_stage,
    strangers,
)

# Half of its types are unknown to a type checker.
graphql: Any = import_module("graphql")
# A receipt is proven anew, from the reads at the lanes on: an operation gets so many, and no more.
_RECEIPT: Final = re.compile(r"receipt \{[^{}]*\}")


# What the story has no second one of, or none at all: one statement for none proves nothing.
GROWING: Final = frozenset(
    {
        "viewer.activeSessions",
        "viewer.bills",
        "viewer.devices",
        "viewer.disputes",
        "viewer.invoiceableBills",
        "viewer.invoices",
        "viewer.mandates",
        "viewer.passes",
        "viewer.plateClaims",
        "viewer.plates",
        "viewer.sessions",
        "viewer.signIns",
        "staff.disputes",
        "staff.heldPasses",
        "staff.invoices",
        "staff.paymentsNeedingStaff",
        "staff.reconciliationDifferences",
        "staff.reconciliations",
        "staff.vehicles",
    }
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a query took, and the length of the longest list in its answer."""

    statements: int
    longest: int


@pytest.fixture
async def stage(api: ApiWorld) -> Stage:
    return await set_stage(api)


def calls(asker: Asker, schema: Any) -> Iterator[Call]:  # noqa: ANN401 - GraphQL's
    """Return every query; each field of the viewer by itself."""
    for call in documents(schema):
        if call.kind == "query" and call.name != "viewer":
            name = f"{asker.name}.{call.name}"
            yield replace(call, name=name, document=_RECEIPT.sub("", call.document))
    viewer = schema.type_map.get("Viewer")
    for name, field in viewer.fields.items() if viewer else ():
        below = _RECEIPT.sub("", selection(schema, field.type))
        yield Call("query", f"viewer.{name}", f"{{ viewer {{ {name} {below} }} }}", {})


async def cost(stage: Stage, asker: Asker, call: Call, given: Mapping[str, Any]) -> Cost:
    """Execute a query past the limits of the endpoint, which would refuse so much at once."""
    api = stage.api
    context = RequestContext(
        parking=api.lanes.context,
        config=ApiConfig(tokens=api.tokens, sms=api.sms),
        client_address=CLIENT_ADDRESS,
        token=asker.token,
    )
    quick_reads = api.lanes.context.database.quick_reads
    before = quick_reads.sent
    with collected(api.lanes.context.database) as statements:
        running = graphql.execute(
            stage.schema(asker.path),
            graphql.parse(call.document),
            context_value=context,
            variable_values=dict(given),
        )
        result = await running if isawaitable(running) else running
    return Cost(len(statements) + quick_reads.sent - before, longest(result.data))


def longest(value: object) -> int:
    if isinstance(value, dict):
        return max(map(longest, cast("dict[str, object]", value).values()), default=0)
    if isinstance(value, list):
        items = cast("list[object]", value)
        return max([len(items), *map(longest, items)])
    return 0


async def costs(stage: Stage, ids: Ids) -> dict[str, Cost]:
    found: dict[str, Cost] = {}
    for asker in await stage.owners():
        for call in calls(asker, stage.schema(asker.path)):
            given = call.variables(ids, GIVEN)
            found[call.name + call.document] = await cost(stage, asker, call, given)
    return found


async def test_many_cost_the_statements_of_few(stage: Stage) -> None:
    ids = await owned(stage)
    await copy_everything(stage.api.lanes, 1)
    # What is read once a process, such as a rate table, is read now.
    await costs(stage, ids)
    few = await costs(stage, ids)
    await copy_everything(stage.api.lanes, 5)
    many = await costs(stage, ids)
    dearer = {
        name: (few[name], many[name])
        for name in few
        if few[name].statements != many[name].statements
    }
    assert dearer == {}
    grown = {name for name in few if many[name].longest > few[name].longest}
    assert {name for name in GROWING if not any(each.startswith(name) for each in grown)} == set()


async def test_anothers_id_costs_the_statements_of_one_that_does_not_exist(stage: Stage) -> None:
    ids = await owned(stage)
    (stranger,) = [
        each for each in await strangers(stage.api) if each.is_somebody and each.path == DRIVERS
    ]
    nodes = [
        call
        for call in calls(stranger, stage.driver_schema)
        if call.takes_id and call.name.partition(".")[2] not in PUBLIC
    ]
    differing: dict[tuple[str, str], tuple[Cost, Cost]] = {}
    for call in nodes:
        for kind in sorted(ids.by_kind):
            if kind in PUBLIC_KINDS:
                continue
            theirs = ids.only(kind)
            found = await cost(stage, stranger, call, call.variables(theirs, GIVEN))
            none = await cost(stage, stranger, call, call.variables(theirs.unknown(), GIVEN))
            if found != none:
                differing[call.name, kind] = found, none
    assert nodes
    assert differing == {}
