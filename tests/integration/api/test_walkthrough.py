"""docs/api.md from its first operation to its last, as an app would send them to a real server."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from graphql import OperationDefinitionNode, parse, print_ast

from api.global_ids import read_id
from notifications.handlers import Notifier
from parking.drivers.rules import CODE_DIGITS
from parking.events.pokes import Poke, session_channel
from parking.events.relay import Job
from parking.invoices import service as invoices
from parking.payments.fake import FakeProvider, Fault
from tests.factories.api import ApiWorld, serve
from tests.factories.credit import allow_credit
from tests.factories.graphql_socket import signed_in_socket
from tests.factories.invoices import SELLER
from tests.factories.lane_world import PLATE, read_of
from tests.factories.providers import add_provider

PAGE: Final = Path(__file__).parents[3] / "docs" / "api.md"
PHONE: Final = "+8613800138000"
_BLOCK: Final = re.compile(r"```graphql\n(.*?)```", re.DOTALL)


def read_operations() -> dict[str, str]:
    """Return every operation of the page by its name."""
    found: dict[str, str] = {}
    for block in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        for definition in parse(block).definitions:
            assert isinstance(definition, OperationDefinitionNode)
            assert definition.name is not None
            assert definition.name.value not in found, "each operation has a name of its own"
            found[definition.name.value] = print_ast(definition)
    return found


@dataclass
class App:
    """An app that knows nothing but the page."""

    api: ApiWorld
    http: httpx.AsyncClient
    address: str
    provider: FakeProvider
    token: str = ""
    refresh_token: str = ""
    left: dict[str, str] = field(default_factory=read_operations)

    async def send(self, name: str, **variables: Any) -> Any:  # noqa: ANN401 - JSON
        """Send one of the page's operations; it must succeed. Returns what its root field says."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": self.left.pop(name), "variables": variables}
        answer = (await self.http.post("/graphql", json=body, headers=headers)).json()
        assert "errors" not in answer, (name, answer)
        [said] = answer["data"].values()
        assert "code" not in said, (name, said)
        return said

    async def sign_in(self, name: str, **variables: str) -> None:
        signed_in = await self.send(name, **variables)
        self.token, self.refresh_token = signed_in["accessToken"], signed_in["refreshToken"]

    async def confirm_at_provider(self) -> None:
        """Do what the driver does on the provider's page, and the provider then."""
        [row] = await self.api.lanes.rows("SELECT agreement_reference FROM mandates")
        self.provider.confirm(row["agreement_reference"])
        notice = self.provider.notices[-1]
        told = await self.http.post(
            f"/callbacks/{self.provider.name}", content=notice.body, headers=dict(notice.headers)
        )
        assert told.status_code == 204


@pytest.fixture
async def app(api: ApiWorld) -> AsyncGenerator[App]:
    # The page's example names it.
    provider = add_provider(api.lanes, "wechat")
    async with serve(api.app) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        yield App(api, http, address, provider)


async def test_the_page_from_its_first_operation_to_its_last(app: App) -> None:
    plate_id = await begin(app)
    mandate_id = await authorize(app, plate_id)
    session_id = await park_and_pay(app)
    bill_id = await look_back(app, session_id)
    await contest(app, bill_id)
    await owe_and_pay(app)
    await read_inbox(app)
    revoked = await app.send("Revoke", mandate=mandate_id)
    assert revoked["mandate"] == {"id": mandate_id, "state": "REVOKED"}
    assert (await app.send("Unbind", plate=plate_id)) == {"plateId": plate_id}
    # Nothing on the page was left out.
    assert app.left == {}


async def begin(app: App) -> str:
    """Sign in, register for pushes, and bind a plate; returns its id."""
    sent = await app.send("AskForCode", phone=PHONE)
    code = app.api.sms.messages[-1].text[:CODE_DIGITS]
    await app.sign_in("SignIn", request=sent["requestId"], phone=PHONE, code=code)
    await app.sign_in("Refresh", token=app.refresh_token)
    assert (await app.send("Register", target="target-of-a-phone"))["deviceId"]
    claim = (await app.send("Bind", plate="京a·88731"))["claim"]
    assert (claim["text"], claim["inReview"]) == (PLATE, False)
    lanes = app.api.lanes
    presentation_id = await lanes.arrive(lanes.entry)
    shown = (await lanes.decide(lanes.entry, presentation_id, read_of(PLATE))).display
    [lane_code] = [word for line in shown.lines for word in line.split() if word.isdigit()]
    bound = (await app.send("ConfirmPlate", claim=claim["id"], code=lane_code))["plate"]
    assert bound["text"] == PLATE
    # The car goes on in.
    await lanes.barrier(lanes.entry, presentation_id, "opened", "passed")
    await lanes.clear(lanes.entry, presentation_id)
    return bound["id"]


async def authorize(app: App, plate_id: str) -> str:
    """Allow password-free payment, confirmed twice; returns the authorization's id."""
    mandate = (await app.send("Authorize", plate=plate_id))["mandate"]
    assert (mandate["state"], mandate["terms"]["sentences"] != []) == ("PENDING", True)
    digest = mandate["terms"]["digest"]
    confirmed = (await app.send("ConfirmTerms", mandate=mandate["id"], digest=digest))["mandate"]
    assert confirmed["state"] == "PENDING"
    await app.confirm_at_provider()
    limits = await app.send("Limit", mandate=mandate["id"], digest=None)
    # More than was confirmed: nothing is changed before the new text is.
    assert limits["mandate"]["amountMax"] == {"amountMinor": 10000, "currency": "CNY"}
    assert limits["toConfirm"]["digest"] != digest
    [ordered] = (await app.send("Order", mandates=[mandate["id"]]))["mandates"]
    assert (ordered["position"], ordered["plate"]) == (0, PLATE)
    return mandate["id"]


async def park_and_pay(app: App) -> str:
    """Watch the running stay, pay in advance, and leave; returns the stay's id."""
    lanes = app.api.lanes
    lanes.wait(minutes=10)
    follow = app.left.pop("Follow")
    lanes.wait(minutes=4)
    [session] = (await app.send("Parked"))["activeSessions"]
    assert (session["plate"], session["state"]) == (PLATE, "ACTIVE")
    assert session["bill"]["lines"][-1]["runningTotal"] == session["bill"]["due"]
    async with signed_in_socket(app.address, app.token) as socket:
        await socket.subscribe("1", follow, session=session["id"], after=None)
        first = (await socket.data())["sessionUpdated"]
        assert (first["reason"], first["session"]["id"]) == ("SNAPSHOT", session["id"])
        paid = await app.send("PayNow", session=session["id"], key=f"key-{uuid4()}")
        assert (paid["status"], paid["amount"]["amountMinor"] > 0) == ("SUCCEEDED", True)
        # What the relay says once it has read the event.
        _, (key,) = read_id(session["id"])
        assert await lanes.context.bus.publish([(session_channel(key), Poke(uuid4(), "Test"))])
        told = (await socket.data())["sessionUpdated"]
        assert (told["reason"], told["session"]["bill"]["due"]["amountMinor"]) == ("CHANGE", 0)
    assert (await lanes.drive_out()).action == "open"
    return session["id"]


async def look_back(app: App, session_id: str) -> str:
    """Read bills and refunds, check one, and ask for an invoice; returns the bill's id."""
    [edge] = (await app.send("Earlier", after=None))["sessions"]["edges"]
    assert edge["node"]["id"] == session_id
    [edge] = (await app.send("Refunds"))["sessions"]["edges"]
    assert edge["node"]["refunds"] == []
    [edge] = (await app.send("Bills", after=None))["bills"]["edges"]
    bill = edge["node"]
    assert (bill["state"], bill["version"]) == ("PAID", 1)
    assert bill["receipt"]["jws"].count(".") == 2
    assert (await app.send("Verify", bill=bill["id"]))["verified"] is True
    async with app.api.lanes.context.database.begin() as unit:
        await invoices.set_seller(unit, app.api.lanes.entry.operator_id, SELLER, "Ada")
    invoice = (await app.send("Invoice", bills=[bill["id"]]))["invoice"]
    assert (invoice["state"], invoice["gross"]) == ("ISSUED", bill["total"])
    return bill["id"]


async def contest(app: App, bill_id: str) -> None:
    dispute = (await app.send("Contest", bill=bill_id))["dispute"]
    [edge] = (await app.send("Disputes", after=None))["disputes"]["edges"]
    assert (edge["node"]["id"], edge["node"]["billId"]) == (dispute["id"], bill_id)
    assert dispute["state"] == "OPEN"
    taken_back = (await app.send("TakeBack", dispute=dispute["id"]))["dispute"]
    assert taken_back == {"id": dispute["id"], "state": "WITHDRAWN"}


async def owe_and_pay(app: App) -> None:
    """Leave on credit, and pay what is owed."""
    lanes = app.api.lanes
    await allow_credit(lanes)
    assert (await app.send("PayPartners"))["enabled"] is True
    lanes.wait(minutes=60)
    await lanes.drive_in()
    lanes.wait(minutes=45)
    app.provider.play(Fault.DECLINE)
    assert (await lanes.drive_out()).reason == "credit"
    lanes.wait(minutes=1)
    [driver] = await lanes.rows("SELECT id FROM drivers")
    app.token = await app.api.token_of(driver["id"])
    [owed] = (await app.send("Owed"))["owed"]
    paid = await app.send("PayOwed", bill=owed["billId"], key=f"key-{uuid4()}")
    assert (paid["status"], paid["amount"]) == ("SUCCEEDED", owed["amount"])


async def read_inbox(app: App) -> None:
    """Read what a worker wrote into the inbox, and say that it was seen."""
    [told] = await app.api.lanes.rows(
        "SELECT owner_id, id, attempts FROM outbox WHERE type = 'PaymentCharged'"
        " ORDER BY id LIMIT 1"
    )
    notifier = Notifier(app.api.lanes.context.database, None)
    await notifier.deliver(Job(told["owner_id"], told["id"], told["attempts"]))
    inbox = await app.send("Inbox", after=None)
    [edge] = inbox["notifications"]["edges"]
    assert (edge["node"]["acknowledgedAt"], inbox["unacknowledgedCount"]) == (None, 1)
    seen = await app.send("Seen", notices=[edge["node"]["id"]])
    assert seen["unacknowledgedCount"] == 0
