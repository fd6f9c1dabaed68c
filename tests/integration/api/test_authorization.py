"""Who may ask for what: every field of both schemas, by everybody there is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import pytest

from api.staff.permissions import PERMISSIONS, Scope, permission_of
from api.staff.schema import make_staff_schema
from parking.flows.staff import member_desk
from parking.flows.staff.place_of import KINDS_AT_PLACES
from parking.kit.tokens import ACCESS_PERIOD
from parking.places import service as places
from parking.staff.rules import Role
from tests.factories.schema_walk import Call, Ids, documents, graphql, takes_id
from tests.factories.staff import hire, sign_in
from tests.factories.statements import collected
from tests.factories.walked_world import (
    DRIVERS,
    FOR_EVERYBODY,
    GIVEN,
    PUBLIC,
    STAFF,
    STRANGER_PLATE,
    Asker,
    Stage,
    owned,
    set_stage,
    told_to,
)

UNAUTHENTICATED: Final = "UNAUTHENTICATED"
FORBIDDEN: Final = "FORBIDDEN"
EXPIRED: Final = "TOKEN_EXPIRED"
SIGNED_OUT: Final = frozenset({UNAUTHENTICATED, EXPIRED})
# What the id of an argument names, where its field goes by places.
KINDS: Final = {
    "placeId": "Place",
    "laneId": "AccessLane",
    "areaId": "IdentifiedArea",
    "poolId": "SpacePool",
    "rightPoolId": "RightPool",
    "sessionId": "Session",
    "billId": "Bill",
    "paymentId": "Payment",
    "refundId": "Refund",
    "disputeId": "Dispute",
    "reviewId": "MisreadReview",
    "campaignId": "Campaign",
    "segmentId": "Segment",
}
FIELDS_BY_ID: Final = {"bill": "Bill", "dispute": "Dispute", "review": "MisreadReview"}
# Of the whole operator: it stands beside an id that has a place.
BESIDE: Final = frozenset({"productId"})


# What the walk compares at least, or it would prove nothing.
PAIRS_MIN: Final = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """Who asks, and what they are told; None for whatever the field itself says."""

    name: str
    token: str | None
    refusal: str | None = None
    role: Role | None = None
    is_limited: bool = False

    def expected(self, field: str) -> str | None:
        """Return the code that the declared permission gives."""
        if self.refusal is not None:
            return self.refusal
        permission = permission_of(field)
        allowed = self.role is Role.ADMIN or self.role in permission.roles
        if not allowed or (self.is_limited and permission.scope is Scope.WHOLE):
            return FORBIDDEN
        return None


@pytest.fixture
async def stage(api: Any) -> Stage:  # noqa: ANN401 - pytest's
    return await set_stage(api)


def test_every_field_of_the_staffs_schema_declares_who_may_ask_for_it() -> None:
    schema: Any = make_staff_schema(development=False)._schema  # pyright: ignore[reportPrivateUsage]
    fields = {**schema.query_type.fields, **schema.mutation_type.fields}
    assert set(fields) == set(PERMISSIONS)


def test_an_id_of_a_scoped_field_is_of_a_kind_whose_place_is_known() -> None:
    schema: Any = make_staff_schema(development=False)._schema  # pyright: ignore[reportPrivateUsage]
    fields = {**schema.query_type.fields, **schema.mutation_type.fields}
    for name, field in fields.items():
        if PERMISSIONS[name].scope in {Scope.NAMED, Scope.LISTED}:
            for argument in ids_of(field.args):
                kind = FIELDS_BY_ID.get(name) if argument == "id" else KINDS.get(argument)
                assert kind in KINDS_AT_PLACES or argument in BESIDE, (name, argument)


def ids_of(arguments: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name, argument in arguments.items():
        named = graphql.get_named_type(argument.type)
        if graphql.is_input_object_type(named):
            found.extend(ids_of(named.fields))
        elif takes_id(argument.type):
            found.append(name)
    return found


def cheap(call: Call) -> Call:
    """Return the call with nothing below its field: who may ask is decided before that."""
    head, _, below = call.document.partition(f"{{ {call.name}")
    arguments = below[: below.index(")") + 1] if call.arguments else ""
    leaf = "" if below[len(arguments) :].strip() == "}" else "{ __typename }"
    return replace(call, document=f"{head}{{ {call.name}{arguments} {leaf} }}")


async def code_told(stage: Stage, path: str, token: str | None, call: Call, ids: Ids) -> str | None:
    """Return the code of a refusal about who asks; None for anything else."""
    answered = "{ __typename ... on Refusal { code } }"
    is_act = call.kind == "mutation"
    query = call.document.replace("{ __typename }", answered) if is_act else call.document
    response = await stage.api.send(query, call.variables(ids, GIVEN), token=token, path=path)
    body: dict[str, Any] = response.json()
    codes = [error.get("extensions", {}).get("code") for error in body.get("errors", ())]
    data: dict[str, Any] = body.get("data") or {}
    answer = data.get(call.name)
    if call.kind == "mutation" and answer is not None:
        codes.append(answer.get("code"))
    assert "INTERNAL" not in codes, (call.name, body)
    return next((code for code in codes if code in {*SIGNED_OUT, FORBIDDEN}), None)


async def cells(stage: Stage) -> list[Cell]:
    """Return everybody who may come to the staff's schema."""
    api = stage.api
    names = (f"Member {number}" for number in count(1))
    async with api.lanes.context.database.begin() as unit:
        hill = places.add_place(
            unit,
            api.lanes.entry.operator_id,
            name="Hill",
            timezone="Asia/Shanghai",
            currency="CNY",
        )
    old = await hire(api, next(names), [Role.ADMIN])
    api.lanes.clock.advance(ACCESS_PERIOD)
    gone = await hire(api, next(names), [Role.ADMIN])
    await member_desk.end(api.lanes.context, gone.member.operator_id, gone.member.id)
    out = await sign_in(api, old.member)
    await member_desk.end_sign_in(api.lanes.context, out.operator_id, out.sign_in_id)
    driver = await api.token_of(stage.driver_id)
    found = [
        Cell("nobody", None, UNAUTHENTICATED),
        Cell("a driver", driver, UNAUTHENTICATED),
        Cell("expired", old.token, EXPIRED),
        Cell("an ended member", gone.token, UNAUTHENTICATED),
        Cell("an ended sign-in", out.access_token, UNAUTHENTICATED),
    ]
    for role in Role:
        everywhere = await hire(api, next(names), [role])
        found.append(Cell(role.value, everywhere.token, role=role))
    limited = await hire(api, next(names), list(Role), places=[hill.id])
    found.append(Cell("limited", limited.token, role=Role.ADMIN, is_limited=True))
    return found


async def test_the_staffs_schema_answers_everybody_as_it_is_declared(stage: Stage) -> None:
    ids = await owned(stage)
    everybody = await cells(stage)
    nothing = ids.unknown()
    wrong: list[tuple[str, str, str | None, str | None]] = []
    asked = 0
    for call in map(cheap, documents(stage.staff_schema)):
        for cell in everybody:
            told = await code_told(stage, STAFF, cell.token, call, nothing)
            asked += 1
            if told != cell.expected(call.name):
                wrong.append((cell.name, call.name, told, cell.expected(call.name)))
    assert wrong == []
    assert asked == len(PERMISSIONS) * len(everybody)


def pairs(ids: Ids) -> list[tuple[Ids, Ids]]:
    """Return for each kind the driver's own id, and one of nothing."""
    nothing = ids.unknown()
    return [(ids.only(kind), nothing.only(kind)) for kind in sorted(ids.by_kind)]


async def test_another_drivers_ids_answer_like_none_with_the_same_statements(stage: Stage) -> None:
    ids = await owned(stage)
    stranger = await stage.api.lanes.add_driver(STRANGER_PLATE)
    asker = Asker("another driver", DRIVERS, await stage.api.token_of(stranger))
    database = stage.api.lanes.context.database
    compared = 0
    for call in documents(stage.driver_schema):
        if not call.takes_id or call.name in FOR_EVERYBODY | PUBLIC:
            continue
        for theirs, nothing in [(ids, ids.unknown()), *pairs(ids)]:
            if theirs.by_kind == nothing.by_kind:
                continue
            told: list[tuple[str, list[str]]] = []
            for given in (theirs, nothing):
                with collected(database) as statements:
                    answer = await told_to(stage.api, asker, call, call.variables(given, GIVEN))
                told.append((answer, list(statements)))
            assert told[0] == told[1], call.name
            compared += 1
    assert compared >= PAIRS_MIN


async def test_a_member_of_another_place_is_told_of_nothing_of_this_one(stage: Stage) -> None:
    ids = await owned(stage)
    limited = (await cells(stage))[-1]
    asker = Asker(limited.name, STAFF, limited.token)
    before = await stage.table_rows()
    for call in documents(stage.staff_schema):
        if permission_of(call.name).scope not in {Scope.NAMED, Scope.LISTED}:
            continue
        told = await told_to(stage.api, asker, call, call.variables(ids, GIVEN))
        unknown = await told_to(stage.api, asker, call, call.variables(ids.unknown(), GIVEN))
        assert told == unknown, call.name
        assert [text for text in ids.secrets if text in told] == [], call.name
    assert await stage.table_rows() == before
