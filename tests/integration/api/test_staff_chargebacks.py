"""What payers' banks took back: staff see their own operator's, and nobody else does."""

from typing import Any
from uuid import uuid4

from api.global_ids import encode_id
from parking.flows.payments import chargebacks
from parking.kit.money import Money
from parking.payments.chargeback_models import ChargebackStatus
from parking.payments.port import ChargebackState
from tests.factories.api import ApiWorld

PATH = "/staff/graphql"
FIELDS = "id billId owedBillId amount { amountMinor currency } status reason provider reference"
QUERY = f"query Q($status: StaffChargebackStatus! = OPENED, $first: Int! = 20, $after: String) {{ chargebacks(status: $status, first: $first, after: $after) {{ nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"  # noqa: E501


async def page(api: ApiWorld, token: str | None, **variables: Any) -> Any:  # noqa: ANN401 - JSON
    return (await api.ask(QUERY, variables, token=token, path=PATH))["chargebacks"]


async def charged_back_stay(api: ApiWorld) -> None:
    driver_id = await api.lanes.add_driver()
    await api.lanes.permit(driver_id)
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    assert (await api.lanes.drive_out()).reason == "paid"
    [attempt] = await api.lanes.rows("SELECT operator_id, id, number FROM payment_attempts")
    said = ChargebackState(
        charge_number=attempt["number"],
        reference="du_1",
        amount=Money(1000, "CNY"),
        reason="fraudulent",
    )
    key = (attempt["operator_id"], attempt["id"], said)
    await chargebacks.settle(api.lanes.context, *key, ChargebackStatus.OPENED)


async def test_staff_see_their_operators_chargebacks_only(api: ApiWorld) -> None:
    await charged_back_stay(api)
    operator_id = api.lanes.entry.operator_id
    staff, _ = api.tokens.issue_staff(operator_id, "Ada")
    stranger, _ = api.tokens.issue_staff(uuid4(), "Eve")
    before, owed = await api.lanes.rows("SELECT id FROM bills ORDER BY version")

    [found] = (await page(api, staff, first=1))["nodes"]

    assert found == {
        "id": found["id"],
        "billId": encode_id("Bill", operator_id, before["id"]),
        "owedBillId": encode_id("Bill", operator_id, owed["id"]),
        "amount": {"amountMinor": 1000, "currency": "CNY"},
        "status": "OPENED",
        "reason": "fraudulent",
        "provider": "fake",
        "reference": "du_1",
    }
    assert (await page(api, staff, status="LOST"))["nodes"] == []
    assert (await page(api, stranger))["nodes"] == []
    [driver] = await api.lanes.rows("SELECT id FROM drivers")
    for token in (None, await api.token_of(driver["id"])):
        answer = await api.http.post(
            PATH,
            json={"query": QUERY},
            headers={} if token is None else {"authorization": f"Bearer {token}"},
        )
        assert "du_1" not in answer.text
