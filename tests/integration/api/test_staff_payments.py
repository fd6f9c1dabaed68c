"""Payments that need a person: listed with what to do, and ended by name."""

from dataclasses import replace
from typing import Any

import pytest

from api.global_ids import BILL_KIND, encode_id
from parking.flows.payments import settlement
from parking.flows.payments.notices import NoticeForeignError, receive_notice
from parking.kit.money import Money
from parking.payments.fake import FakeProvider, Fault
from parking.payments.port import Advance, ChargeResult, Notice, NoticeKind, OrderStatus, SentOrder
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE, read_of
from tests.factories.providers import add_provider

STAFF = "/staff/graphql"
PAYMENT = """
id billId kind provider number providerReference state failureCode advance problem whatToDo
endedBy endedReason finishedAt amount { amountMinor currency }
"""
REFUSAL = "... on Refusal { code message } ... on InvalidInput { field }"
STUCK = f"{{ paymentsNeedingStaff {{ nodes {{ {PAYMENT} }} pageInfo {{ hasNextPage }} }} }}"
OF_BILL = f"query Of($bill: ID!) {{ payments(billId: $bill) {{ {PAYMENT} }} }}"
ASK = f"""
mutation Ask($id: ID!) {{ askPaymentAgain(input: {{paymentId: $id}}) {{
  __typename ... on PaymentAsked {{ payment {{ {PAYMENT} }} }} {REFUSAL}
}} }}
"""
END = f"""
mutation End($input: EndPaymentInput!) {{ endPayment(input: $input) {{
  __typename ... on PaymentEnded {{ payment {{ {PAYMENT} }} }} {REFUSAL}
}} }}
"""


class Desk:
    """A car at the exit whose charge is accepted and not settled, and the operator's staff."""

    def __init__(self, api: ApiWorld) -> None:
        self.api, self.lanes = api, api.lanes
        self.provider: FakeProvider = api.lanes.provider
        self.staff, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")

    async def arrive(self) -> None:
        await self.lanes.permit(await self.lanes.add_driver())
        await self.lanes.drive_in()
        self.lanes.wait(minutes=45)
        self.provider.play(Fault.ACCEPT)
        await self.lanes.decide(
            self.lanes.exit, await self.lanes.arrive(self.lanes.exit), read_of(PLATE)
        )

    async def ask(self, document: str, **variables: Any) -> Any:  # noqa: ANN401 - JSON
        answer = await self.api.ask(document, variables, token=self.staff, path=STAFF)
        [value] = answer.values()
        return value

    async def stuck(self) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = (await self.ask(STUCK))["nodes"]
        return nodes

    async def attempt(self) -> dict[str, Any]:
        rows = await self.lanes.rows("SELECT * FROM payment_attempts ORDER BY sent_at LIMIT 1")
        return rows[0]

    async def end(self, payment_id: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        usual = {"paymentId": payment_id, "providerChecked": True, "reason": "refunded there"}
        answer: dict[str, Any] = await self.ask(END, input=usual | given)
        return answer


@pytest.fixture
async def desk(api: ApiWorld) -> Desk:
    opened = Desk(api)
    await opened.arrive()
    return opened


async def lie(order: SentOrder) -> ChargeResult:
    """Say that one more was taken than was asked for."""
    more = Money(order.amount.amount_minor + 1, order.amount.currency)
    return ChargeResult(number=order.number, status=OrderStatus.SUCCEEDED, amount=more)


async def test_another_amount_is_for_staff_who_end_it_once_it_went_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await desk.stuck() == []
    monkeypatch.setattr(desk.provider, "query", lie)
    monkeypatch.setattr(desk.provider, "close", lie)
    desk.lanes.wait(minutes=1)
    await settlement.sweep(desk.lanes.context)
    [payment] = await desk.stuck()
    assert (payment["problem"], payment["state"]) == ("AMOUNT_MISMATCH", "ACCEPTED")
    assert payment["whatToDo"].startswith("The provider names another amount")
    assert payment["number"] == (await desk.attempt())["number"]
    asked = (await desk.ask(ASK, id=payment["id"]))["payment"]
    assert (asked["state"], asked["problem"]) == ("ACCEPTED", "AMOUNT_MISMATCH")
    before = await desk.attempt()
    for given, field in (
        ({"providerChecked": False}, "providerChecked"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "a\u0000b"}, "reason"),
    ):
        refused = await desk.end(payment["id"], **given)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)
    assert await desk.attempt() == before
    for reason in ("refunded there", "said again"):
        ended = (await desk.end(payment["id"], reason=reason))["payment"]
        assert (ended["state"], ended["failureCode"]) == ("FAILED", "ended_by_staff")
        assert ended["endedBy"].endswith(":Ada")
        assert (ended["problem"], ended["endedReason"]) == (None, "refunded there")
    assert await desk.stuck() == []
    [bill] = await desk.lanes.rows("SELECT state, live_attempt_id FROM bills")
    assert bill == {"state": "issued", "live_attempt_id": None}
    assert sum((await desk.lanes.balances()).values()) == 0


async def test_what_the_provider_says_definitively_counts_and_not_the_person(desk: Desk) -> None:
    await desk.lanes.rows_changed("UPDATE payment_attempts SET problem = 'unanswered'")
    [payment] = await desk.stuck()
    desk.provider.settle(payment["number"], OrderStatus.SUCCEEDED)
    ended = (await desk.end(payment["id"]))["payment"]
    assert (ended["state"], ended["endedBy"], ended["problem"]) == ("SUCCEEDED", None, None)
    assert desk.provider.captured("CNY") == 1000
    [bill] = await desk.lanes.rows("SELECT state FROM bills")
    assert bill["state"] == "paid"


async def test_a_payment_that_needs_nobody_is_ended_by_nobody(desk: Desk) -> None:
    attempt = await desk.attempt()
    await desk.lanes.rows_changed("UPDATE payment_attempts SET problem = 'unanswered'")
    [payment] = await desk.stuck()
    await desk.lanes.rows_changed("UPDATE payment_attempts SET problem = NULL")
    refused = await desk.end(payment["id"])
    assert refused["code"] == "PAYMENT_NOT_STUCK"
    assert await desk.attempt() == attempt


async def test_an_order_that_nobody_can_ask_about_is_listed(desk: Desk) -> None:
    attempt = await desk.attempt()
    nobody = replace(desk.lanes.context, providers={})
    desk.lanes.wait(minutes=50)
    await settlement.sweep(nobody)
    assert await desk.stuck() == []
    desk.lanes.wait(minutes=20)
    await settlement.sweep(nobody)
    [payment] = await desk.stuck()
    assert (payment["problem"], payment["number"]) == ("UNANSWERED", attempt["number"])
    # Whoever has the provider asks, and the answer takes it off the list.
    await settlement.sweep(desk.lanes.context)
    assert await desk.stuck() == []


async def test_a_silence_of_half_an_hour_is_told_to_staff(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(order: SentOrder) -> ChargeResult:
        return ChargeResult(number=order.number, status=OrderStatus.UNKNOWN)

    monkeypatch.setattr(desk.provider, "query", silent)
    started, asked = desk.lanes.clock.now(), 0
    while not await desk.stuck():
        due = (await desk.attempt())["next_query_at"]
        desk.lanes.clock.advance(max(due - desk.lanes.clock.now(), due - due))
        asked += await settlement.sweep(desk.lanes.context)
        assert asked < 100
    waited_s = (desk.lanes.clock.now() - started).total_seconds()
    assert 25 * 60 < waited_s < 35 * 60
    [payment] = await desk.stuck()
    assert payment["problem"] == "UNANSWERED"


async def notice_of(desk: Desk, **said: Any) -> Notice:  # noqa: ANN401 - of a result
    number = (await desk.attempt())["number"]
    result = ChargeResult(number=number, status=OrderStatus.SUCCEEDED, amount=Money(1000, "CNY"))
    return Notice(
        notice_id=f"n-{said}",
        kind=NoticeKind.CHARGE_SUCCEEDED,
        occurred_at=desk.lanes.clock.now(),
        result=replace(result, **said),
    )


async def test_an_advance_and_its_repayment_are_shown(desk: Desk) -> None:
    told = [
        await notice_of(desk, advance=Advance.OUTSTANDING),
        await notice_of(desk, advance=Advance.REPAID),
        # Late, and told by the provider before the repayment.
        await notice_of(desk, advance=Advance.OUTSTANDING, provider_reference="late"),
    ]
    shown: list[str] = []
    for notice in told:
        await receive_notice(desk.lanes.context, "fake", notice)
        [bill] = await desk.lanes.rows("SELECT operator_id, id FROM bills")
        bill_id = encode_id(BILL_KIND, bill["operator_id"], bill["id"])
        [payment] = await desk.ask(OF_BILL, bill=bill_id)
        shown.append(payment["advance"])
    assert shown == ["OUTSTANDING", "REPAID", "REPAID"]
    assert (await desk.lanes.balances())["provider:fake", "CNY"] == 1000


async def test_a_notice_is_acted_on_once_and_only_by_its_own_provider(desk: Desk) -> None:
    add_provider(desk.lanes, "other")
    notice = await notice_of(desk)
    with pytest.raises(NoticeForeignError):
        await receive_notice(desk.lanes.context, "other", notice)
    assert (await desk.attempt())["state"] == "accepted"
    assert await desk.lanes.count("provider_notices") == 0
    for _ in range(3):
        await receive_notice(desk.lanes.context, "fake", notice)
    taken = await desk.lanes.rows("SELECT provider, notice_id, kind FROM provider_notices")
    assert [tuple(row.values()) for row in taken] == [
        ("fake", notice.notice_id, "charge.succeeded")
    ]
    events = await desk.lanes.rows("SELECT id FROM outbox WHERE type = 'PaymentCharged'")
    assert len(events) == 1
