"""Paying what is owed: by its driver, by whoever stands at an exit with the car, at desks."""

import re
from typing import Any, cast
from uuid import UUID

import pytest

from api.global_ids import BILL_KIND, encode_id
from parking.flows.pay_link import pay_token
from parking.flows.payments import charging
from parking.payments import partners
from parking.payments.fake import Fault
from parking.payments.fake_wallet import FakeWallet
from parking.payments.port import OrderStatus, PaymentProvider
from tests.factories.api import ApiWorld
from tests.factories.credit import Partner, add_partner, allow_credit
from tests.factories.lane_world import PLATE, read_of

STAFF = "/staff/graphql"
OWED = (
    "{ viewer { owed { billId isBeingPaid operatorName amount { amountMinor } place { name } }"
    " credit { operatorName used { amountMinor } limit { amountMinor } isFrozen } paysPartners } }"
)
PAY = (
    "mutation($input: PayOwedInput!) { payOwed(input: $input) { __typename"
    " ... on OwedPaid { status checkoutUrl amount { amountMinor } } ... on Refused { code }"
    " ... on InvalidInput { field } } }"
)
STAFF_ACTS = {
    "takeCash": "CashTaken { amount { amountMinor } }",
    "writeOffBill": "BillWrittenOff { reason writtenOffBy }",
    "openExit": "ExitOpened { override { reason letOutBy keptInReason } }",
    "settlePartner": "PartnerSettled { settlement { reference amount { amountMinor } } }",
    "proposePartnership": "PartnershipChanged { partnership { state } }",
    "acceptPartnership": "PartnershipChanged { partnership { state } }",
    "endPartnership": "PartnershipChanged { partnership { state } }",
    "setCreditPolicy": "CreditPolicySet { policy { limitMax { amountMinor } isOpen } }",
    "freezeCredit": "CreditFrozen { isFrozen hasChanged }",
}
INPUTS = {
    "proposePartnership": "PartnerInput",
    "acceptPartnership": "PartnerInput",
    "endPartnership": "PartnerInput",
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


async def act(api: ApiWorld, operator_id: UUID, name: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Let a member of an operator's staff do something."""
    token, _ = api.tokens.issue_staff(operator_id, "Ada")
    kind = INPUTS.get(name, f"{name[0].upper()}{name[1:]}Input")
    answer = await api.ask(
        f"mutation($input: {kind}!) {{ {name}(input: $input) {{ __typename"
        f" ... on {STAFF_ACTS[name]} ... on Refused {{ code }}"
        " ... on InvalidInput { field } } }",
        {"input": given},
        token=token,
        path=STAFF,
    )
    return answer[name]


async def see(api: ApiWorld, operator_id: UUID, query: str) -> dict[str, Any]:
    token, _ = api.tokens.issue_staff(operator_id, "Ada")
    return await api.ask(query, token=token, path=STAFF)


async def owing(api: ApiWorld, plate: str = PLATE) -> tuple[UUID, str, str]:
    """Let a driver leave on credit; returns the driver, a token and the bill's id."""
    world = api.lanes
    await allow_credit(world)
    driver_id, token = await api.add_driver(plate)
    await world.permit(driver_id)
    await world.drive_in(plate)
    world.wait(minutes=45)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out(plate)).reason == "credit"
    world.wait(minutes=1)
    # The sign-in's token is short-lived.
    token = await api.token_of(driver_id)
    [bill] = await world.rows("SELECT id FROM bills WHERE driver_id = :id", id=driver_id)
    return driver_id, token, encode_id(BILL_KIND, world.entry.operator_id, bill["id"])


async def test_a_driver_sees_and_pays_what_is_owed(api: ApiWorld) -> None:
    _, token, bill_id = await owing(api)
    viewer = (await api.ask(OWED, token=token))["viewer"]
    assert viewer == {
        "owed": [
            {
                "billId": bill_id,
                "isBeingPaid": False,
                "operatorName": "Riverside Parking",
                "amount": {"amountMinor": 1000},
                "place": {"name": "Riverside"},
            }
        ],
        "credit": [
            {
                "operatorName": "Riverside Parking",
                "used": {"amountMinor": 1000},
                "limit": {"amountMinor": 2000},
                "isFrozen": False,
            }
        ],
        "paysPartners": False,
    }
    for expected in (
        {
            "__typename": "OwedPaid",
            "status": "SUCCEEDED",
            "checkoutUrl": None,
            "amount": {"amountMinor": 1000},
        },
        {"__typename": "Refused", "code": "NOTHING_DUE"},
    ):
        answer = await api.ask(PAY, {"input": {"billId": bill_id}}, token=token)
        assert answer["payOwed"] == expected
    assert (await api.ask(OWED, token=token))["viewer"]["owed"] == []
    assert api.lanes.provider.captured("CNY") == 1000


async def test_a_page_is_opened_once_and_pays(api: ApiWorld) -> None:
    _, token, bill_id = await owing(api)
    pages: set[str] = set()
    for _ in range(2):
        answer = await api.ask(PAY, {"input": {"billId": bill_id, "byPage": True}}, token=token)
        assert answer["payOwed"]["status"] == "CHECKOUT"
        pages.add(answer["payOwed"]["checkoutUrl"])
    assert len(pages) == 1
    await api.lanes.rows_changed("UPDATE payment_attempts SET checkout_url = 'weixin://pay?pr=1'")
    answer = await api.ask(PAY, {"input": {"billId": bill_id, "byPage": True}}, token=token)
    assert answer["payOwed"]["checkoutUrl"].startswith("https://pay.example/pay/")
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts WHERE kind = 'checkout'")
    assert (await api.ask(OWED, token=token))["viewer"]["owed"][0]["isBeingPaid"] is True
    api.lanes.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)


async def test_nobody_sees_or_pays_what_another_driver_owes(api: ApiWorld) -> None:
    _, _, bill_id = await owing(api)
    _, stranger = await api.add_driver("沪B22222")
    assert (await api.ask(OWED, token=stranger))["viewer"]["owed"] == []
    answer = await api.ask(PAY, {"input": {"billId": bill_id}}, token=stranger)
    assert answer["payOwed"] == {"__typename": "Refused", "code": "BILL_UNKNOWN"}
    assert api.lanes.provider.captured("CNY") == 0
    [bill] = await api.lanes.rows("SELECT state FROM bills")
    assert bill["state"] == "owed"


async def test_strangers_staff_reach_nothing_of_an_operator(api: ApiWorld) -> None:
    world = api.lanes
    stranger = await add_partner(world, is_agreed=False)
    _, _, bill_id = await owing(api)
    lane_id = encode_id("AccessLane", world.exit.operator_id, world.exit.lane_id)
    ours = encode_id("Operator", world.entry.operator_id)
    acts: list[tuple[str, dict[str, Any]]] = [
        ("takeCash", {"billId": bill_id}),
        ("writeOffBill", {"billId": bill_id, "reason": "x"}),
        ("freezeCredit", {"billId": bill_id}),
        ("openExit", {"laneId": lane_id, "reason": "x"}),
        ("acceptPartnership", {"partnerId": ours}),
        ("endPartnership", {"partnerId": ours}),
        (
            "settlePartner",
            {
                "partnerId": ours,
                "settlementKey": "1",
                "reference": "r",
                "amount": {"amountMinor": 1, "currency": "CNY"},
            },
        ),
    ]
    before = await world.rows("SELECT * FROM ledger_transfers ORDER BY id")
    for name, given in acts:
        assert (await act(api, stranger.operator_id, name, **given))["__typename"] == "Refused"
    seen = await see(
        api,
        stranger.operator_id,
        f'{{ owedByPlate(plate: "{PLATE}") {{ billId }} uncollected {{ billId }} exitOverrides'
        f' {{ reason }} standingCars {{ laneId }} postings(billId: "{bill_id}") {{ cause }}'
        " balances { nodes { account } } partnerCollections { nodes { billId } }"
        " creditPolicies { currency } partnerships { partnerId }"
        " partnerSettlements { reference } }",
    )
    assert {name: value for name, value in seen.items() if value not in ([], {"nodes": []})} == {}
    assert await world.rows("SELECT * FROM ledger_transfers ORDER BY id") == before
    assert await world.count("exit_overrides") == 0
    [bill] = await world.rows("SELECT state FROM bills")
    assert bill["state"] == "owed"


async def test_partners_agree_collect_and_settle_over_their_desks(api: ApiWorld) -> None:
    world = api.lanes
    partner = await add_partner(world, is_agreed=False)
    ours, theirs = world.entry.operator_id, partner.operator_id
    _, _, bill_id = await owing(api)
    our_id, their_id = encode_id("Operator", ours), encode_id("Operator", theirs)
    made = await act(api, ours, "proposePartnership", partnerId=their_id)
    assert made["partnership"] == {"state": "PROPOSED"}
    assert (await act(api, ours, "acceptPartnership", partnerId=their_id))["code"]
    made = await act(api, theirs, "acceptPartnership", partnerId=our_id)
    assert made["partnership"] == {"state": "ACTIVE"}
    seen = await see(api, theirs, f'{{ owedByPlate(plate: "{PLATE}") {{ billId placeName }} }}')
    assert seen["owedByPlate"] == [{"billId": bill_id, "placeName": "Riverside"}]
    for _ in range(2):
        taken = await act(api, theirs, "takeCash", billId=bill_id)
        assert taken == {"__typename": "CashTaken", "amount": {"amountMinor": 1000}}
    seen = await see(api, ours, "{ partnerships { partnerName owedToUs { amountMinor } } }")
    assert seen["partnerships"] == [
        {"partnerName": "Hillside Parking", "owedToUs": [{"amountMinor": 1000}]}
    ]
    given = {"partnerId": their_id, "settlementKey": "nov", "reference": "wire 7"}
    for _ in range(2):
        settled = await act(
            api, ours, "settlePartner", **given, amount={"amountMinor": 1000, "currency": "CNY"}
        )
        assert settled["settlement"] == {"reference": "wire 7", "amount": {"amountMinor": 1000}}
    assert await world.accounts() == {"bank": 1000, "revenue": -1000}
    assert await world.accounts(theirs) == {"bank": -1000, "cash_desk": 1000}
    seen = await see(api, theirs, "{ partnerCollections { nodes { billId isOurs state } } }")
    [collected] = seen["partnerCollections"]["nodes"]
    assert (collected["isOurs"], collected["state"]) == (True, "COLLECTED")
    taken_by = f'{{ payments(billId: "{collected["billId"]}") {{ endedBy }} }}'
    assert (await see(api, theirs, taken_by))["payments"] == [{"endedBy": f"{theirs}:Ada"}]
    seen = await see(api, theirs, "{ balances { nodes { account balance { amountMinor } } } }")
    assert sum(one["balance"]["amountMinor"] for one in seen["balances"]["nodes"]) == 0


async def car_at(api: ApiWorld, partner: Partner, plate: str) -> str:
    """Bring a car to the partner's exit, unpaid; returns its bill's token."""
    session_id = await partner.world.drive_in(plate)
    api.lanes.wait(minutes=45)
    api.lanes.provider.play(Fault.DECLINE)
    car = await partner.world.arrive(partner.world.exit)
    await partner.world.decide(partner.world.exit, car, read_of(plate))
    return pay_token(api.lanes.context.vault, partner.operator_id, session_id)


async def test_the_bills_page_at_a_partner_offers_what_the_car_owes(api: ApiWorld) -> None:
    world = api.lanes
    partner = await add_partner(world)
    await owing(api)
    token = await car_at(api, partner, PLATE)
    page = await api.http.get(f"/pay/{token}")
    assert "Also owed" in page.text
    assert "Riverside" in page.text
    assert PLATE not in page.text
    [action] = re.findall(r'action="(/pay/[^"]+/owed/[0-9a-f]+)"', page.text)
    refused = await api.http.post(action[:-1] + ("0" if action[-1] != "0" else "1"))
    assert (refused.status_code, refused.headers["location"]) == (303, f"/pay/{token}")
    sent = await api.http.post(action)
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("https://fake.invalid/pay/")
    again = await api.http.get(f"/pay/{token}")
    assert "being paid" in again.text
    [attempt] = await world.rows(
        "SELECT number, operator_id FROM payment_attempts WHERE collection_id IS NOT NULL"
    )
    assert attempt["operator_id"] == partner.operator_id


async def test_another_holder_of_the_plate_sees_no_debts_of_the_one_before(api: ApiWorld) -> None:
    world = api.lanes
    partner = await add_partner(world)
    driver_id, _, _ = await owing(api)
    await world.rows_changed(
        "UPDATE plate_bindings SET unbound_at = now() WHERE driver_id = :id", id=driver_id
    )
    token = await car_at(api, partner, PLATE)
    assert "Also owed" not in (await api.http.get(f"/pay/{token}")).text
    async with world.context.database.begin() as unit:
        await partners.end(unit, partner.operator_id, world.entry.operator_id, by="Bob")
    assert "Also owed" not in (await api.http.get(f"/pay/{token}")).text


@pytest.mark.parametrize("plate", [PLATE, "京A99999"])
async def test_staff_let_a_car_out_once_and_it_is_on_record(api: ApiWorld, plate: str) -> None:
    world = api.lanes
    await world.drive_in(PLATE)
    world.wait(minutes=45)
    lane_id = encode_id("AccessLane", world.exit.operator_id, world.exit.lane_id)
    given = {"laneId": lane_id, "reason": "the reader is broken"}
    assert (await act(api, world.exit.operator_id, "openExit", **given))["code"] == (
        "EXIT_NOT_WAITING"
    )
    car = await world.arrive(world.exit)
    decision = await world.decide(world.exit, car, read_of(plate))
    assert decision.command is None
    [waiting] = (await see(api, world.exit.operator_id, "{ standingCars { laneId reason } }"))[
        "standingCars"
    ]
    assert waiting == {"laneId": lane_id, "reason": decision.reason}
    for _ in range(2):
        opened = await act(api, world.exit.operator_id, "openExit", **given)
        assert opened["override"]["reason"] == "the reader is broken"
        assert opened["override"]["keptInReason"] == decision.reason
    [command] = await world.gate.pending_commands(world.exit, car)
    assert command.presentation_id == car
    assert await world.count("exit_overrides") == 1
    [made] = await world.rows(
        "SELECT count(*) AS n FROM gate_commands WHERE presentation_id = :id", id=car
    )
    assert made["n"] == 1
    await world.barrier(world.exit, car, "opened", "passed")
    states = await world.rows("SELECT state FROM bills")
    assert [one["state"] for one in states] == (["owed"] if plate == PLATE else [])


async def test_cash_at_the_exit_opens_the_gate(api: ApiWorld) -> None:
    world = api.lanes
    await world.drive_in()
    world.wait(minutes=45)
    car = await world.arrive(world.exit)
    assert (await world.decide(world.exit, car, read_of(PLATE))).action == "pay"
    [bill] = await world.rows("SELECT id FROM bills")
    bill_id = encode_id(BILL_KIND, world.exit.operator_id, bill["id"])
    for _ in range(2):
        taken = await act(api, world.exit.operator_id, "takeCash", billId=bill_id)
        assert taken["amount"] == {"amountMinor": 1000}
    assert len(await world.gate.pending_commands(world.exit, car)) == 1
    assert await world.accounts() == {"cash_desk": 1000, "revenue": -1000}
    seen = await see(
        api, world.exit.operator_id, f'{{ verifyBill(billId: "{bill_id}") {{ verified }} }}'
    )
    assert seen["verifyBill"] == {"verified": True}
    seen = await see(
        api, world.exit.operator_id, f'{{ payments(billId: "{bill_id}") {{ kind endedBy }} }}'
    )
    assert seen["payments"] == [{"kind": "CASH", "endedBy": f"{world.exit.operator_id}:Ada"}]


async def test_a_phone_pays_what_is_owed_by_its_own_page(api: ApiWorld) -> None:
    world = api.lanes
    partner = await add_partner(world)
    await owing(api)
    token = await car_at(api, partner, PLATE)
    page = await api.http.get(f"/pay/{token}")
    [action] = re.findall(r'action="(/pay/[^"]+/owed/[0-9a-f]+)"', page.text)
    wallet = FakeWallet(world.clock, name="fake")
    cast("dict[str, PaymentProvider]", world.context.providers)["fake"] = wallet
    sent = await api.http.post(action, headers={"user-agent": "Android Mobile Safari"})
    assert (sent.status_code, sent.headers["referrer-policy"]) == (303, "strict-origin")
    [attempt] = await world.rows(
        "SELECT number, checkout_for FROM payment_attempts WHERE collection_id IS NOT NULL"
    )
    assert attempt["checkout_for"] == "phone"
    number = attempt["number"]
    assert sent.headers["location"] == f"https://fake.invalid/pay/{number}?phone=203.0.113.7"


async def test_limits_of_credit_are_money_of_one_currency(api: ApiWorld) -> None:
    operator_id = api.lanes.entry.operator_id

    def limits(first: str, step: str, most: str) -> dict[str, Any]:
        names = {"firstLimit": (500, first), "limitStep": (250, step), "limitMax": (2000, most)}
        money = {name: {"amountMinor": at, "currency": code} for name, (at, code) in names.items()}
        return {"isOpen": True, **money}

    set_ = await act(api, operator_id, "setCreditPolicy", **limits("CNY", "CNY", "CNY"))
    assert set_["policy"] == {"limitMax": {"amountMinor": 2000}, "isOpen": True}
    for given, field in (
        (limits("CNY", "EUR", "CNY"), "limitStep.currency"),
        (limits("CNY", "CNY", "EUR"), "limitMax.currency"),
        (limits("yuan", "CNY", "CNY"), "firstLimit.currency"),
    ):
        assert (await act(api, operator_id, "setCreditPolicy", **given))["field"] == field
    stored = await api.lanes.rows(
        "SELECT currency, first_minor, step_minor, most_minor FROM credit_policies"
    )
    assert stored == [
        {"currency": "CNY", "first_minor": 500, "step_minor": 250, "most_minor": 2000}
    ]
