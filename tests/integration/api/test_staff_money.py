"""What staff correct and give back: their own operator's bills only, and once."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from api.global_ids import encode_id
from parking.payments.fake import Fault
from tests.factories.api import ApiWorld

PATH = "/staff/graphql"
FIELDS = "id billId amount { amountMinor currency } state reason failureCode requestedBy"
REFUSED = "... on Refusal { code } ... on InvalidInput { field } ... on Refused { retryable }"
REFUNDS = f"query Refunds($state: StaffRefundState! = FAILED, $first: Int! = 20, $after: String) {{ refunds(state: $state, first: $first, after: $after) {{ nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"  # noqa: E501
CORRECT = f"mutation Correct($input: CorrectBillInput!) {{ correctBill(input: $input) {{ __typename ... on BillCorrected {{ billIds before {{ amountMinor }} after {{ amountMinor }} refunds {{ {FIELDS} }} }} {REFUSED} }} }}"  # noqa: E501
REFUND = f"mutation Refund($input: RefundBillInput!) {{ refundBill(input: $input) {{ __typename ... on BillRefunded {{ refund {{ {FIELDS} }} }} {REFUSED} }} }}"  # noqa: E501
RETRY = f"mutation Retry($id: ID!) {{ retryRefund(input: {{refundId: $id}}) {{ __typename ... on BillRefunded {{ refund {{ {FIELDS} }} }} {REFUSED} }} }}"  # noqa: E501
MINE = "{ viewer { sessions { edges { node { bill { paid { amountMinor } } refunds { id billId state reason amount { amountMinor } } } } } } }"  # noqa: E501


@pytest.fixture
def staff(api: ApiWorld) -> str:
    token, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    return token


@pytest.fixture
def stranger(api: ApiWorld) -> str:
    token, _ = api.tokens.issue_staff(uuid4(), "Eve")
    return token


async def paid_bill(api: ApiWorld) -> tuple[str, str]:
    """Let a driver pay 20.00 for 95 minutes; returns the bill's id and the driver's token."""
    driver_id = await api.lanes.add_driver()
    await api.lanes.permit(driver_id)
    await api.lanes.drive_in()
    api.lanes.wait(minutes=95)
    assert (await api.lanes.drive_out()).reason == "paid"
    return await bill_id_of(api), await api.token_of(driver_id)


async def bill_id_of(api: ApiWorld) -> str:
    [bill] = await api.lanes.rows("SELECT id FROM bills")
    return encode_id("Bill", api.lanes.entry.operator_id, bill["id"])


async def do(api: ApiWorld, query: str, token: str | None, **variables: Any) -> Any:  # noqa: ANN401 - JSON
    data = await api.ask(query, variables, token=token, path=PATH)
    return next(iter(data.values()))


def refund_of(bill_id: str, amount_minor: int, key: str = "k1") -> dict[str, Any]:
    amount = {"amountMinor": amount_minor, "currency": "CNY"}
    return {"billId": bill_id, "amount": amount, "refundKey": key, "reason": "Lift was broken"}


async def assert_untouched(api: ApiWorld) -> None:
    assert api.lanes.provider.captured("CNY") == 2000
    assert await api.lanes.count("refunds") == 0
    assert await api.lanes.count("bills") == 1
    assert await api.lanes.count("bill_corrections") == 0


async def test_a_part_goes_back_once_and_its_driver_sees_it(api: ApiWorld, staff: str) -> None:
    bill_id, _ = await paid_bill(api)
    done = await do(api, REFUND, staff, input=refund_of(bill_id, 300))
    assert await do(api, REFUND, staff, input=refund_of(bill_id, 300)) == done
    assert done["__typename"] == "BillRefunded"
    assert (done["refund"]["state"], done["refund"]["reason"]) == (
        "SUCCEEDED",
        "Lift was broken",
    )
    assert done["refund"]["requestedBy"] == f"{api.lanes.entry.operator_id}:Ada"
    assert api.lanes.provider.captured("CNY") == 1700
    [driver] = await api.lanes.rows("SELECT id FROM drivers")
    mine = await api.ask(MINE, token=await api.token_of(driver["id"]))
    [edge] = mine["viewer"]["sessions"]["edges"]
    assert edge["node"]["bill"]["paid"]["amountMinor"] == 1700
    [refund] = edge["node"]["refunds"]
    assert (refund["state"], refund["amount"]["amountMinor"]) == ("SUCCEEDED", 300)
    assert refund["id"] == done["refund"]["id"]
    conflict = await do(api, REFUND, staff, input=refund_of(bill_id, 301))
    assert conflict["code"] == "REFUND_CONFLICT"


async def test_a_correction_reprices_and_repays(api: ApiWorld, staff: str) -> None:
    bill_id, _ = await paid_bill(api)
    [session] = await api.lanes.rows(
        "SELECT entered_at + interval '45 minutes' AS at FROM sessions"
    )
    asked = {
        "billId": bill_id,
        "correctionId": "case-7",
        "reason": "Entry was read late",
        "enteredAt": session["at"].isoformat(),
    }
    done = await do(api, CORRECT, staff, input=asked)
    assert (done["before"]["amountMinor"], done["after"]["amountMinor"]) == (2000, 1000)
    [refund] = done["refunds"]
    assert refund["state"] == "SUCCEEDED"
    assert refund["billId"] == done["billIds"][0]
    assert (await do(api, CORRECT, staff, input=asked))["billIds"] == done["billIds"]
    assert api.lanes.provider.captured("CNY") == 1000
    [row] = await api.lanes.rows("SELECT corrected_by, reason FROM bill_corrections")
    assert row == {
        "corrected_by": f"{api.lanes.entry.operator_id}:Ada",
        "reason": "Entry was read late",
    }


async def test_failed_refunds_are_listed_and_sent_again(api: ApiWorld, staff: str) -> None:
    bill_id, _ = await paid_bill(api)
    api.lanes.provider.play(Fault.DECLINE)
    done = await do(api, REFUND, staff, input=refund_of(bill_id, 300))
    assert done["refund"]["state"] == "FAILED"
    listed = await do(api, REFUNDS, staff)
    assert [(node["id"], node["failureCode"]) for node in listed["nodes"]] == [
        (done["refund"]["id"], "declined")
    ]
    again = await do(api, RETRY, staff, id=done["refund"]["id"])
    assert again["refund"]["state"] == "SUCCEEDED"
    assert (await do(api, RETRY, staff, id=done["refund"]["id"])) == again
    assert api.lanes.provider.captured("CNY") == 1700
    assert (await do(api, RETRY, staff, id=again["refund"]["id"]))["code"] == "NOTHING_TO_REFUND"
    page = await do(api, REFUNDS, staff, state="SUCCEEDED", first=1)
    assert page["pageInfo"]["hasNextPage"] is False
    rest = await do(
        api, REFUNDS, staff, state="SUCCEEDED", first=1, after=page["pageInfo"]["endCursor"]
    )
    assert rest["nodes"] == []
    [driver] = await api.lanes.rows("SELECT id FROM drivers")
    mine = await api.ask(MINE, token=await api.token_of(driver["id"]))
    [refund] = mine["viewer"]["sessions"]["edges"][0]["node"]["refunds"]
    assert refund["state"] == "SUCCEEDED"


async def test_another_operators_staff_reach_nothing(
    api: ApiWorld, staff: str, stranger: str
) -> None:
    bill_id, _ = await paid_bill(api)
    [bill] = await api.lanes.rows("SELECT id, operator_id FROM bills")
    stranger_id: UUID = api.tokens.verify_staff(stranger).operator_id
    forged = encode_id("Bill", stranger_id, bill["id"])
    for tried in (bill_id, forged):
        correction = {"billId": tried, "correctionId": "c", "reason": "mine", "waive": True}
        for query, asked in ((CORRECT, correction), (REFUND, refund_of(tried, 300))):
            refused = await do(api, query, stranger, input=asked)
            assert refused["code"] == "BILL_UNKNOWN"
    await assert_untouched(api)
    api.lanes.provider.play(Fault.DECLINE)
    done = await do(api, REFUND, staff, input=refund_of(bill_id, 300))
    _, refund_id = api.tokens.issue_staff(stranger_id, "Eve"), done["refund"]["id"]
    assert (await do(api, RETRY, stranger, id=refund_id))["code"] == "REFUND_UNKNOWN"
    assert (await do(api, REFUNDS, stranger))["nodes"] == []
    assert await api.lanes.count("refunds") == 1


async def test_a_driver_neither_corrects_nor_refunds(api: ApiWorld) -> None:
    bill_id, driver = await paid_bill(api)
    waiver = {"billId": bill_id, "correctionId": "c", "reason": "mine", "waive": True}
    for token in (driver, None):
        for query, asked in ((REFUND, refund_of(bill_id, 300)), (CORRECT, waiver)):
            assert (await do(api, query, token, input=asked))["code"] == "UNAUTHENTICATED"
        body = await api.post(REFUNDS, token=token, path=PATH)
        assert "errors" in body
    await assert_untouched(api)


async def test_nonsense_is_refused_with_its_field(api: ApiWorld, staff: str) -> None:
    bill_id, _ = await paid_bill(api)
    correction = {"billId": bill_id, "correctionId": "c", "reason": "why"}
    vehicle = {"vehicleClass": "zeppelin"}
    for query, asked, field in (
        (REFUND, refund_of("x", 1), "billId"),
        (REFUND, refund_of(bill_id, 0), "amount"),
        (REFUND, refund_of(bill_id, -1), "amount"),
        (REFUND, refund_of(bill_id, 1, key=""), "refundKey"),
        (REFUND, refund_of(bill_id, 1) | {"reason": " "}, "reason"),
        (REFUND, refund_of(bill_id, 1) | {"reason": "x" * 121}, "reason"),
        (REFUND, refund_of(bill_id, 1) | {"reason": "a\x00b"}, "text"),
        (REFUND, refund_of(bill_id, 1, key="a\x00b"), "text"),
        (
            REFUND,
            refund_of(bill_id, 1) | {"amount": {"amountMinor": 1, "currency": "yuan"}},
            "amount.currency",
        ),
        (CORRECT, correction | {"correctionId": ""}, "correctionId"),
        (CORRECT, correction | {"correctionId": "x" * 101}, "correctionId"),
        (CORRECT, correction | {"reason": ""}, "reason"),
        (CORRECT, correction | {"vehicle": vehicle}, "vehicle.vehicleClass"),
        (CORRECT, correction | {"waivedLines": [99]}, "waivedLines"),
        (CORRECT, correction | {"enteredAt": "2001-01-01T00:00:00+00:00"}, "enteredAt"),
    ):
        refused = await do(api, query, staff, input=asked)
        assert (refused["__typename"], refused["field"]) == ("InvalidInput", field)
    too_much = await do(api, REFUND, staff, input=refund_of(bill_id, 2001))
    assert too_much["code"] == "REFUND_TOO_LARGE"
    await assert_untouched(api)


async def test_what_many_amounts_come_to_is_read_beyond_32_bits(api: ApiWorld, staff: str) -> None:
    operator_id = api.lanes.entry.operator_id
    for amount_minor in (2**31 - 1, 2**31 - 1, 2**50):
        await api.lanes.rows_changed(
            "INSERT INTO ledger_transfers (operator_id, id, bill_id, debit_account,"
            " credit_account, amount_minor, currency, cause, posted_at) VALUES (:operator_id,"
            " :id, :id, 'provider:fake', 'revenue', :amount_minor, 'CNY', 'captured', now())",
            operator_id=operator_id,
            id=uuid4(),
            amount_minor=amount_minor,
        )
    seen = await api.ask(
        "{ balances { nodes { account balance { amountMinor currency } } } }",
        token=staff,
        path=PATH,
    )
    held = 2**50 + 2**32 - 2
    assert seen["balances"]["nodes"] == [
        {"account": "provider:fake", "balance": {"amountMinor": held, "currency": "CNY"}},
        {"account": "revenue", "balance": {"amountMinor": -held, "currency": "CNY"}},
    ]
