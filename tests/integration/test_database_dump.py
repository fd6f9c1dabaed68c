"""Whoever steals the database learns no plate, no phone number and no name from it.

A story is walked that touches most tables; then every column of every row is searched for each
secret, in every spelling in which it could hide.
"""

import base64
import json
from collections.abc import AsyncGenerator, Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text

from api.global_ids import encode_id
from notifications.handlers import Notifier
from notifications.push import RecordingPushSender
from parking.events import outbox
from parking.events.relay import Job
from parking.flows.lane_types import (
    Heading,
    ObservationMethod,
    ReadSource,
    ReadState,
    TrackedCar,
)
from parking.flows.retention import rows
from parking.kit.database import UnitOfWork
from tests.factories.api import ApiWorld, open_api
from tests.factories.disputes import show
from tests.factories.lane_world import LaneWorld, read_of
from tests.factories.offline_lane import OfflineLaneBox
from tests.factories.pass_desk import PassDesk
from tests.integration.api.test_licence_pictures import upload

STAFF: Final = "/staff/graphql"
# Letters that look alike in no alphabet: each is one plate in one spelling.
MINE, MISREAD, STRANGER, OFFLINE, LISTED = "BQZ8347", "BQZ8J47", "WKV5629", "MNF7138", "GHL9274"
PHONE, NAME, EMAIL = "+4915773829164", "Zebulonia Quackenbush", "zebulonia@quackenbush.example"
STREET, VAT_ID = "Umbrellaweg 93", "DE129273398"
TARGET, COMMENT = "fid-8fK2mQ9xLw7Zt4", "my neighbour Xanthippe drove it"
CODE: Final = "mutation ($p: String!) { requestSignInCode(input: {phoneNumber: $p}) { __typename"
SIGN_IN: Final = """
mutation ($i: SignInInput!) { signIn(input: $i) { ... on SignedIn { accessToken refreshToken } } }
"""
DEVICE: Final = """
mutation ($i: RegisterDeviceInput!) { registerDevice(input: $i) { __typename } }
"""
BIND: Final = """
mutation ($p: String!) { bindPlate(input: {plate: $p}, idempotencyKey: "bind-the-plate-once") {
  ... on PlateClaimed { claim { id } } } }
"""
CONFIRM: Final = """
mutation ($i: ConfirmPlateBindingInput!) { confirmPlateBinding(input: $i) { __typename } }
"""
INVOICE: Final = """
mutation ($i: RequestInvoiceInput!) { requestInvoice(input: $i) { __typename } }
"""
SELLER: Final = """
mutation ($i: SetInvoiceSellerInput!) { setInvoiceSeller(input: $i) { __typename } }
"""
DISPUTE: Final = """
mutation ($i: DisputeBillInput!) { disputeBill(input: $i) { __typename } }
"""
RECORD: Final = """
mutation ($i: RecordVehicleInput!) { recordVehicle(input: $i) { __typename } }
"""


def spellings(secret: str) -> set[bytes]:
    """Every form of a secret that a search could find."""
    plain = {secret, secret.lower(), secret.replace(" ", ""), secret.removeprefix("+")}
    plain |= {json.dumps(secret)[1:-1], secret[::-1]}
    if secret == MINE:
        plain |= {"BQZ 8347", "B-QZ 8347", "BQZ-8347", "B QZ 8347"}
    found: set[bytes] = set()
    for form in plain:
        raw = form.encode()
        found |= {raw, raw.hex().encode(), raw.hex().upper().encode(), form.encode("utf-16-le")}
        for offset in range(3):
            # Whole groups in the middle: what stands before decides how a secret is cut.
            coded = base64.b64encode(b"\0" * offset + raw).rstrip(b"=")
            found |= {coded[4 if offset else 0 : -2 or None]}
            found |= {base64.urlsafe_b64encode(b"\0" * offset + raw).rstrip(b"=")[4:-2]}
    return {form for form in found if len(form) >= 5}


async def dump(unit: UnitOfWork) -> AsyncGenerator[tuple[str, bytes]]:
    """Every value of every table, as text and as bytes."""
    for table in sorted(await rows.tables(unit)):
        for row in (await unit.run(text(f'SELECT * FROM "{table}"'))).mappings():  # noqa: S608
            for column, value in row.items():
                yield f"{table}.{column}", _bytes(value)


def _bytes(value: object) -> bytes:
    match value:
        case bytes():
            return value
        case dict() | list():
            return json.dumps(value, ensure_ascii=False).encode()
        case _:
            return str(value).encode()


async def leaks(world: LaneWorld, secrets: Iterable[str]) -> set[tuple[str, str]]:
    wanted = [(secret, spellings(secret)) for secret in secrets]
    found: set[tuple[str, str]] = set()
    async with world.context.database.begin() as unit:
        async for where, value in dump(unit):
            found |= {
                (where, secret) for secret, forms in wanted if any(one in value for one in forms)
            }
    return found


class Story:
    """A driver with everything that one can have, and strangers beside."""

    def __init__(self, api: ApiWorld) -> None:
        self.api, self.world = api, api.lanes
        self.token = ""
        self.secrets: list[str] = []

    async def walk(self) -> None:
        await self.sign_in()
        await self.bind()
        await self.park()
        await self.invoice_and_dispute()
        await self.lanes()
        await self.staff()
        await self.tell()

    async def ask(self, query: str, **given: Any) -> Any:  # noqa: ANN401 - JSON
        data = await self.api.ask(query, given, token=self.token)
        return next(iter(data.values()))

    async def sign_in(self) -> None:
        sent = await self.api.ask(CODE + " ... on SignInCodeSent { requestId } } }", {"p": PHONE})
        code = self.api.sms.messages[-1].text[:7]
        request_id = sent["requestSignInCode"]["requestId"]
        given = {"requestId": request_id, "phoneNumber": PHONE, "code": code, "deviceName": "Phone"}
        signed_in = (await self.api.ask(SIGN_IN, {"i": given}))["signIn"]
        assert "accessToken" in signed_in, (signed_in, self.api.sms.messages[-1].text)
        self.token = signed_in["accessToken"]
        self.secrets += [self.token, signed_in["refreshToken"]]
        device = {"kind": "FID", "target": TARGET, "platform": "ios"}
        assert (await self.ask(DEVICE, i=device))["__typename"] == "DeviceRegistered"

    async def bind(self) -> None:
        claim_id = (await self.ask(BIND, p="b-qz 8347"))["claim"]["id"]
        assert (await upload(self.api, self.token, claim_id)).status_code == 201
        car = await self.world.arrive(self.world.entry)
        decision = await self.world.decide(self.world.entry, car, read_of(MINE))
        code = decision.display.lines[2].removeprefix("Code ")
        given = {"claimId": claim_id, "code": code}
        assert (await self.ask(CONFIRM, i=given))["__typename"] == "PlateBound"
        await self.world.barrier(self.world.entry, car, "opened", "passed")
        await self.world.clear(self.world.entry, car)
        [row] = await self.world.rows("SELECT driver_id FROM plate_bindings")
        self.driver_id: UUID = row["driver_id"]

    async def park(self) -> None:
        await self.world.permit(self.driver_id)
        desk = PassDesk(self.world)
        product = await desk.add_product()
        await desk.buy(self.driver_id, product)
        self.world.wait(minutes=5)
        car = await self.world.arrive(self.world.exit)
        await show(self.world, self.world.exit, car)
        source = ReadSource(ObservationMethod.CAMERA, "camera-1")
        said = TrackedCar(Heading.TOWARDS, ReadState.UPDATED, "7")
        event = self.world.event(self.world.exit)
        await self.world.gate.record_observation(
            self.world.exit, event, car, read_of(MISREAD, 0.91), "camera-1", said
        )
        decision = await self.world.gate.decide(self.world.exit, car, read_of(MINE), source)
        assert decision.action == "open"
        await self.world.barrier(self.world.exit, car, "opened", "passed")
        await self.world.clear(self.world.exit, car)

    async def invoice_and_dispute(self) -> None:
        await self.world.drive_in(MINE)
        self.world.wait(minutes=5)
        seller = {"legalName": "Garage", "street": "Ring 1", "postalCode": "10115"}
        seller |= {"city": "Berlin", "country": "DE", "prefix": "PM", "vatBasisPoints": 1900}
        seller |= {"timezone": "Europe/Berlin", "vatId": "DE123456789"}
        staff = self.api.tokens.issue_staff(self.world.entry.operator_id, "Ada")[0]
        await self.api.ask(SELLER, {"i": seller}, token=staff, path=STAFF)
        await self.world.drive_in(STRANGER)
        rows_ = await self.world.rows(
            "SELECT operator_id, id FROM bills WHERE driver_id = :d AND state = 'paid' "
            "AND total_minor > 0 LIMIT 1",
            d=self.driver_id,
        )
        bill = encode_id("Bill", rows_[0]["operator_id"], rows_[0]["id"])
        buyer = {"name": NAME, "country": "DE", "street": STREET, "postalCode": "50667"}
        buyer |= {"city": "Bonn", "vatId": VAT_ID, "email": EMAIL}
        asked = await self.ask(INVOICE, i={"billIds": [bill], "buyer": buyer})
        assert asked["__typename"] == "InvoiceRequested", asked
        given = {"billId": bill, "reason": "WRONG_VEHICLE", "comment": COMMENT}
        await self.ask(DISPUTE, i=given)

    async def lanes(self) -> None:
        box = OfflineLaneBox(self.world, self.world.second_entry)
        box.visit(OFFLINE, self.world.clock.now())
        self.world.wait(hours=1)
        await box.send()
        car = await self.world.arrive(self.world.entry)
        await self.world.decide(self.world.entry, car, read_of(STRANGER[:-1] + "X", 0.4))
        await self.world.clear(self.world.entry, car)
        car = await self.world.arrive(self.world.exit)
        assert (await self.world.decide(self.world.exit, car, read_of(STRANGER))).action == "pay"

    async def staff(self) -> None:
        token = self.api.tokens.issue_staff(self.world.entry.operator_id, "Ada")[0]
        until = (self.world.clock.now() + timedelta(days=9)).isoformat()
        given = {"plate": LISTED, "note": "director", "validUntil": until}
        await self.api.ask(RECORD, {"i": given}, token=token, path=STAFF)

    async def tell(self) -> None:
        """Tell the driver of everything so far: inbox and phone."""
        push = RecordingPushSender()
        notifier = Notifier(self.world.context.database, push)
        async with self.world.context.database.begin() as unit:
            leased = await outbox.lease(unit)
        for one in leased:
            await notifier.deliver(Job(one.event.owner_id, one.event.id, one.attempt))
        assert {message.target for message in push.messages} == {TARGET}


@pytest.fixture
async def story(database_url: str, valkey_url: str) -> AsyncGenerator[Story]:
    async with open_api(database_url, valkey_url) as api:
        told = Story(api)
        await told.walk()
        yield told


async def test_a_dump_shows_nothing_of_anybody(story: Story) -> None:
    secrets = [MINE, MISREAD, STRANGER, OFFLINE, LISTED, PHONE, NAME, EMAIL, STREET, VAT_ID]
    secrets += [TARGET, COMMENT, " a picture ", *story.secrets]
    tables = await story.world.rows("SELECT 1 FROM sessions")
    assert (len(tables), await story.world.count("frames")) == (4, 1)
    told = [await story.world.count(table) for table in ("notices", "deliveries")]
    assert min(told) > 0
    assert await leaks(story.world, secrets) == set()


async def test_the_search_finds_what_is_there(story: Story) -> None:
    """A scan that finds nothing proves nothing unless it would have found something."""
    hidden = base64.b64encode(b"xy" + MINE.encode()).decode()
    for number, note in enumerate((MINE, MINE[::-1], MINE.encode().hex(), hidden)):
        await story.world.rows_changed(
            "UPDATE vehicle_records SET note = :note, recorded_by = :by", note=note, by=str(number)
        )
        assert await leaks(story.world, [MINE]) == {("vehicle_records.note", MINE)}
