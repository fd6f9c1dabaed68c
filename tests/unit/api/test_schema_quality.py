"""What a client's developer may rely on, in both schemas."""

import re
from collections.abc import Iterator
from datetime import date
from importlib import import_module
from typing import Any, Final

import pytest

from api import reads
from api.descriptions import read_words
from api.schema import make_schema
from api.staff.schema import make_staff_schema

# Half of its types are unknown to a type checker.
graphql: Any = import_module("graphql")

REALMS: Final = ("driver", "staff")
GROWS: Final = re.compile(r"may come|may be added", re.IGNORECASE)
# Enums whose values are all that there can be.
CLOSED: Final = frozenset({"Weekday", "GateDirection", "PassPeriod"})
DEPRECATED: Final = re.compile(r"^Use `[^`]+`\. Gone after (\d{4}-\d{2}-\d{2})\.")
ROOTS: Final = {"driver": ("Query", "Viewer"), "staff": ("StaffQuery",)}
# Lists that are no pages, and what keeps them short.
BOUNDED: Final = {
    "Query.passProducts": "an operator has so many products",
    "Query.availability": "a place has so many areas",
    "Query.availabilityForecast": "a place has so many areas",
    "Query.reservablePools": "an area has so many spaces",
    "Viewer.plates": "a driver has so many plates",
    "Viewer.plateClaims": "five open claims",
    "Viewer.mandates": "a driver has so many authorizations",
    "Viewer.passes": "twenty at once, and the newest hundred",
    "Viewer.owed": "a limit of credit",
    "Viewer.credit": "the operators that gave any",
    "Viewer.activeSessions": "the driver's cars",
    "Viewer.invoiceableBills": "those of the newest stays",
    "Viewer.signIns": "those that have not ended",
    "Viewer.devices": "twenty",
    "Viewer.consents": "one of each kind",
    "Viewer.habits": "two hundred",
    "Bill.coupons": "eight",
    "StaffQuery.rightPools": "an area has so many spaces",
    "StaffQuery.testDrivers": "ten",
    "StaffQuery.bills": "the versions of one stay's bills",
    "StaffQuery.pendingClaims": "those of one plate",
    "StaffQuery.claimsInReview": "the hundred that wait longest",
    "StaffQuery.creditPolicies": "one for each currency",
    "StaffQuery.deliveries": "two hundred of one stay",
    "StaffQuery.owedByPlate": "a limit of credit",
    "StaffQuery.uncollected": "a limit in the query",
    "StaffQuery.standingCars": "the operator's exits",
    "StaffQuery.exitOverrides": "the newest hundred",
    "StaffQuery.postings": "those of one bill",
    "StaffQuery.staffSignIns": "the newest hundred",
    "StaffQuery.partnerships": "the operator's partners",
    "StaffQuery.partnerSettlements": "the newest hundred",
    "StaffQuery.occupancy": "a place has so many areas",
    "StaffQuery.occupancyCounts": "the newest of one pool",
    "StaffQuery.passProducts": "an operator has so many products",
    "StaffQuery.payments": "the tries of one bill",
    "StaffQuery.places": "the operator's places",
    "StaffQuery.rateTables": "the newest of one place, `first` of them",
    "StaffQuery.lintRateTable": "the findings of one table",
}
# Named by somebody else: a provider, a tax office, the client itself, a push's own data.
FOREIGN_IDS: Final = frozenset(
    {"payerId", "vatId", "correctionId", "correlationId", "installationId", "deliveryId"}
)


def schema_of(realm: str) -> Any:  # noqa: ANN401 - a schema of the library
    made = {"driver": make_schema, "staff": make_staff_schema}[realm](development=True)
    return vars(made)["_schema"]


def own_types(realm: str) -> Iterator[Any]:
    for name, kind in schema_of(realm).type_map.items():
        if not name.startswith("__") and not graphql.is_specified_scalar_type(kind):
            yield kind


def members(kind: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - a type of any form
    """Yield what a type has by name: fields, arguments, values."""
    if isinstance(kind, graphql.GraphQLEnumType):
        yield from ((f"{kind.name}.{name}", value) for name, value in kind.values.items())
    if isinstance(kind, graphql.GraphQLObjectType | graphql.GraphQLInterfaceType):
        for name, field in kind.fields.items():
            yield f"{kind.name}.{name}", field
            yield from ((f"{kind.name}.{name}({arg})", one) for arg, one in field.args.items())
    if isinstance(kind, graphql.GraphQLInputObjectType):
        yield from ((f"{kind.name}.{name}", one) for name, one in kind.fields.items())


@pytest.mark.parametrize("realm", REALMS)
def test_everything_is_described(realm: str) -> None:
    silent = [kind.name for kind in own_types(realm) if not kind.description]
    for kind in own_types(realm):
        silent += [path for path, member in members(kind) if not member.description]
    assert silent == []


def test_every_word_is_of_something_that_is_there() -> None:
    known: dict[str, set[str]] = {}
    for realm in REALMS:
        for kind in own_types(realm):
            paths = {path.partition(".")[2] for path, _ in members(kind)}
            known.setdefault(kind.name, {"_"}).update(paths)
    everywhere = {name for names in known.values() for name in names}
    words = dict(read_words())
    assert words.pop("fields").keys() - everywhere == set()
    assert words.pop("unknown").keys() - known.keys() == set()
    unknown = [
        f"{kind}.{name}"
        for kind, said in words.items()
        for name in said
        if name not in known.get(kind, set())
    ]
    assert unknown == []


@pytest.mark.parametrize("realm", REALMS)
def test_enums_that_grow_say_what_to_do_then(realm: str) -> None:
    silent = {
        kind.name
        for kind in own_types(realm)
        if isinstance(kind, graphql.GraphQLEnumType)
        and kind.name not in CLOSED
        and not GROWS.search(kind.description or "")
        and kind.name in _read_by_clients(realm)
    }
    assert silent == set()


def _read_by_clients(realm: str) -> set[str]:
    return {
        graphql.get_named_type(member.type).name
        for kind in own_types(realm)
        if isinstance(kind, graphql.GraphQLObjectType)
        for path, member in members(kind)
        if not path.endswith(")")
    }


def test_every_node_can_be_fetched_again() -> None:
    schema = schema_of("driver")
    nodes = {
        kind.name
        for kind in own_types("driver")
        if isinstance(kind, graphql.GraphQLObjectType)
        and "Node" in {interface.name for interface in kind.interfaces}
    }
    assert str(schema.query_type.fields["node"].type) == "Node"
    # An issued bill's id is of the kind Bill; the viewer answers for itself.
    found = {"IssuedBill" if kind == "Bill" else kind for kind in reads.node_kinds()}
    assert found | {"Viewer"} == nodes


@pytest.mark.parametrize("realm", REALMS)
def test_lists_that_grow_are_pages_by_cursor(realm: str) -> None:
    for kind in own_types(realm):
        for path, member in members(kind):
            args = getattr(member, "args", {})
            if "after" not in args:
                continue
            page = graphql.get_named_type(member.type)
            assert str(args["first"].type) in {"Int!", "Int"}, path
            assert str(args["after"].type) == "String", path
            assert str(page.fields["pageInfo"].type) == "PageInfo!", path
            assert "edges" in page.fields or "nodes" in page.fields, path
    info = schema_of(realm).type_map["PageInfo"]
    assert isinstance(info, graphql.GraphQLObjectType)
    assert {name: str(field.type) for name, field in info.fields.items()} == {
        "hasNextPage": "Boolean!",
        "hasPreviousPage": "Boolean!",
        "startCursor": "String",
        "endCursor": "String",
    }


@pytest.mark.parametrize("realm", REALMS)
def test_a_list_without_pages_is_bounded_by_something(realm: str) -> None:
    unbounded: set[str] = set()
    for kind in own_types(realm):
        if kind.name not in ROOTS[realm]:
            continue
        for name, field in kind.fields.items():
            is_list = graphql.is_list_type(graphql.get_nullable_type(field.type))
            if is_list and isinstance(
                graphql.get_named_type(field.type), graphql.GraphQLObjectType
            ):
                unbounded.add(f"{kind.name}.{name}")
    assert unbounded == {name for name in BOUNDED if name.partition(".")[0] in ROOTS[realm]}


@pytest.mark.parametrize("realm", REALMS)
def test_ids_are_global_and_money_names_its_currency(realm: str) -> None:
    odd: list[str] = []
    for kind in own_types(realm):
        for path, member in members(kind):
            if isinstance(kind, graphql.GraphQLEnumType):
                continue
            name = path.rpartition(".")[2].rpartition("(")[2].rstrip(")")
            type_name = graphql.get_named_type(member.type).name
            is_id = name in {"id", "ids"} or name.endswith(("Id", "Ids"))
            if is_id and name not in FOREIGN_IDS and type_name != "ID":
                odd.append(path)
            is_amount = "Minor" in name or name.endswith(("Amount", "amount"))
            if (
                is_amount
                and kind.name not in {"Money", "MoneyInput", "MoneySum"}
                and (type_name not in {"Money", "MoneyInput", "MoneySum"})
            ):
                odd.append(path)
            if type_name == "UUID":
                odd.append(path)
    assert odd == []


@pytest.mark.parametrize("realm", REALMS)
def test_lists_never_hold_nulls(realm: str) -> None:
    for kind in own_types(realm):
        for path, member in members(kind):
            type_ = getattr(member, "type", None)
            while type_ is not None and (
                graphql.is_non_null_type(type_) or graphql.is_list_type(type_)
            ):
                if graphql.is_list_type(type_):
                    assert graphql.is_non_null_type(type_.of_type), path
                type_ = type_.of_type


@pytest.mark.parametrize("realm", REALMS)
def test_every_mutation_answers_a_union_of_refusals(realm: str) -> None:
    mutation = schema_of(realm).mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        assert graphql.is_non_null_type(field.type), name
        union = field.type.of_type
        assert isinstance(union, graphql.GraphQLUnionType), name
        assert [each.name for each in union.types][1:] == ["InvalidInput", "Refused"], name
        assert union.name == f"{name[0].upper()}{name[1:]}Result"


@pytest.mark.parametrize("realm", REALMS)
def test_what_is_deprecated_names_its_successor_and_its_end(realm: str) -> None:
    for kind in own_types(realm):
        for path, member in members(kind):
            reason = member.deprecation_reason
            if reason is not None:
                told = DEPRECATED.match(reason)
                assert told is not None, f"{path}: {reason}"
                assert date.fromisoformat(told[1])


def test_a_deprecation_without_an_end_is_found() -> None:
    assert DEPRECATED.match("Use `firstLimit`. Gone after 2027-06-30.")
    assert not DEPRECATED.match("Use `firstLimit`.")
    assert not DEPRECATED.match("No longer supported")
