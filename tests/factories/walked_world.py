"""A driver who has one of everything, their operator's staff, and whoever asks for it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID, uuid4

from api.global_ids import encode_id
from api.schema import make_schema
from api.staff.schema import make_staff_schema
from parking.disputes.models import DisputeReason
from parking.flows.invoices import invoicing
from parking.invoices.fapiao.fake import FakeFapiaoService
from parking.kit.tokens import ACCESS_PERIOD, STAFF_PERIOD
from tests.factories.api import ApiWorld
from tests.factories.campaign_world import EVERYBODY, document
from tests.factories.disputes import dispute
from tests.factories.invoices import BUYER
from tests.factories.invoicing import InvoiceWorld
from tests.factories.lane_world import PLATE, RATE_TABLE
from tests.factories.pass_desk import PassDesk
from tests.factories.schema_walk import NAMED, Call, Ids, documents
from tests.factories.settlement_days import store_difference

DRIVERS: Final = "/graphql"
STAFF: Final = "/staff/graphql"
SECOND_PLATE: Final = "京A11111"
STRANGER_PLATE: Final = "沪B22222"
PUBLIC: Final = frozenset({"availabilityForecast", "quote", "passProducts"})
# What makes a token, what ends one, and what is on every map.
FOR_EVERYBODY: Final = frozenset(
    {
        "requestSignInCode",
        "signIn",
        "signInWithFirebase",
        "refreshSignIn",
        "signOut",
        "nearbyPlaces",
    }
)
# What the world must hold, or the walk would prove nothing.
KINDS: Final = frozenset({*NAMED.values(), "Bill", "SessionCursor", "BillCursor", "InvoiceCursor"})
MARKETED: Final[Mapping[str, Mapping[str, Any]]] = {
    'mutation ($filter: JSON!) { saveSegment(input: {name: "All", filter: $filter})'
    " { __typename } }": {"filter": EVERYBODY},
    'mutation ($document: JSON!) { createCampaign(input: {name: "Spring", document: $document})'
    " { __typename } }": {"document": document()},
}
GIVEN: Final[Mapping[str, Any]] = {
    "plate": PLATE,
    "plates": PLATE,
    "String": "x",
    "Int": 1,
    "Float": 1.5,
    "Boolean": True,
    "JSON": RATE_TABLE,
    "vehicleClass": "car",
    "Date": "2026-12-01",
    "DateTime": "2026-12-01T00:00:00Z",
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Whoever calls, and where."""

    name: str
    path: str
    token: str | None
    is_somebody: bool = False


@dataclass
class Stage:
    """A driver who has one of everything, and their operator's staff."""

    api: ApiWorld
    driver_id: UUID
    driver_schema: Any
    staff_schema: Any

    def schema(self, path: str) -> Any:  # noqa: ANN401 - GraphQL's
        return self.driver_schema if path == DRIVERS else self.staff_schema

    async def owners(self) -> list[Asker]:
        """Return those whose things they are; tokens are short-lived."""
        staff, _ = self.api.tokens.issue_staff(self.api.lanes.entry.operator_id, "Ada")
        return [
            Asker("driver", DRIVERS, await self.api.token_of(self.driver_id)),
            Asker("staff", STAFF, staff),
        ]

    async def table_rows(self) -> dict[str, int]:
        """Return what the tables hold, as a hash each."""
        tables = await self.api.lanes.rows(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace"
            # What was refused to staff is kept, and nothing else.
            " AND relname <> 'staff_acts' ORDER BY relname"
        )
        held: dict[str, int] = {}
        for table in tables:
            name = table["relname"]
            sql = f"SELECT coalesce(sum(hashtextextended(t::text, 0)), 0)::text AS h FROM {name} t"  # noqa: S608
            held[name] = (await self.api.lanes.rows(sql))[0]["h"]
        return held


async def set_stage(api: ApiWorld) -> Stage:
    """Let a driver have one of everything that the schemas show."""
    lanes, desk = api.lanes, PassDesk(api.lanes)
    driver_id = await desk.buyer(PLATE, SECOND_PLATE)
    invoices = InvoiceWorld(lanes, lanes.context, FakeFapiaoService(lanes.clock), driver_id)
    await invoices.sell()
    await lanes.drive_in(PLATE)
    lanes.wait(minutes=45)
    assert (await lanes.drive_out(PLATE)).reason == "paid"
    [row] = await lanes.rows("SELECT operator_id, id, session_id FROM bills")
    bill = row["operator_id"], row["id"]
    await invoicing.request(lanes.context, driver_id, [bill], BUYER)
    await dispute(lanes, driver_id, row["session_id"], DisputeReason.OTHER)
    await lanes.rows_changed("UPDATE payment_attempts SET problem = 'unanswered'")
    await invoices.refund(bill, 100, "test")
    await desk.buy(driver_id, await desk.add_product(plates_max=2))
    lanes.wait(hours=2)
    await lanes.drive_in(SECOND_PLATE)
    token = await api.token_of(driver_id)
    await api.ask('mutation { bindPlate(input: {plate: "京A33333"}) { __typename } }', token=token)
    device = 'registerDevice(input: {kind: FID, target: "phone", platform: "ios"})'
    await api.ask(f"mutation {{ {device} {{ __typename }} }}", token=token)
    await store_difference(lanes)
    staff, _ = api.tokens.issue_staff(lanes.entry.operator_id, "Ada")
    record = f'mutation {{ recordVehicle(input: {{plate: "{PLATE}"}}) {{ __typename }} }}'
    await api.ask(record, token=staff, path=STAFF)
    for kept, given in MARKETED.items():
        await api.ask(kept, given, token=staff, path=STAFF)
    return Stage(
        api,
        driver_id,
        make_schema(development=True)._schema,  # pyright: ignore[reportPrivateUsage]
        make_staff_schema(development=True)._schema,  # pyright: ignore[reportPrivateUsage]
    )


async def strangers(api: ApiWorld) -> list[Asker]:
    """Return everybody else, with tokens of the other realm too."""
    driver_id = await api.lanes.add_driver(STRANGER_PLATE)
    old_driver = await api.token_of(driver_id)
    old_staff, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    api.lanes.clock.advance(max(ACCESS_PERIOD, STAFF_PERIOD))
    driver = await api.token_of(driver_id)
    staff, _ = api.tokens.issue_staff(uuid4(), "Eve")
    return [
        Asker("another driver", DRIVERS, driver, is_somebody=True),
        Asker("staff as driver", DRIVERS, staff),
        Asker("nobody", DRIVERS, None),
        Asker("an old driver", DRIVERS, old_driver),
        Asker("another's staff", STAFF, staff, is_somebody=True),
        Asker("driver as staff", STAFF, driver),
        Asker("nobody", STAFF, None),
        Asker("old staff", STAFF, old_staff),
    ]


async def told_to(api: ApiWorld, asker: Asker, call: Call, variables: dict[str, Any]) -> str:
    """Return the answer as text, without what was sent and what is made anew each time."""
    response = await api.send(call.document, variables, token=asker.token, path=asker.path)
    assert response.status_code == 200, response.text
    body = response.json()
    codes = [error.get("extensions", {}).get("code") for error in body.get("errors", ())]
    # Without a code the document itself is wrong, and the walk would prove nothing.
    assert not {None, "INTERNAL"} & set(codes), (asker.name, call, variables, body)
    for error in body.get("errors", ()):
        del error["extensions"]["correlationId"]
    sent = {text for text in strings_of(variables) if len(text) > 1}
    text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    for given in sorted(sent, key=len, reverse=True):
        text = text.replace(given, "(sent)")
    return text


def strings_of(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        yield value
    if isinstance(value, dict):
        value = list(cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        for member in cast("list[Any]", value):
            yield from strings_of(member)


async def owned(stage: Stage) -> Ids:
    """Return every id that the driver and the staff are told, of each kind one."""
    viewer_id = encode_id("Viewer", stage.driver_id)
    lane = stage.api.lanes.exit
    lane_id = encode_id("AccessLane", lane.operator_id, lane.lane_id)
    given: dict[str, str] = {"Viewer": viewer_id, "AccessLane": lane_id}
    ids = Ids(given, {viewer_id, lane_id, PLATE, SECOND_PLATE})
    for asker in await stage.owners():
        for call in documents(stage.schema(asker.path)):
            if call.kind == "query" and not call.needs_something:
                text = await told_to(stage.api, asker, call, {})
                ids.take(text)
    return ids
