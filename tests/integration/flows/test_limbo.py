"""A process that dies between any two steps leaves nothing in limbo, and takes nothing twice."""

import asyncio
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import pytest

from parking.flows import exit as exit_flow
from parking.flows.pay_link import pay_token
from parking.flows.payments import charging, checkout, settlement, stuck
from parking.flows.payments.mandates import Wish
from parking.kit.money import Money
from parking.payments.errors import NothingDueError
from parking.payments.fake import FakeProvider, Fault
from parking.payments.port import AccountKind, ChargeResult, OrderStatus
from tests.factories.lane_world import LaneWorld
from tests.factories.providers import add_provider

KINDS: Final[dict[str, dict[str, Any]]] = {
    "alipay": {},
    "stripe": {"account": AccountKind.CARD},
    "wechat": {"needs_plate": True},
    "gocardless": {"account": AccountKind.BANK, "settles_at_gate": False},
}


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


async def owing(world: LaneWorld, provider: FakeProvider) -> tuple[UUID, UUID, UUID]:
    """Let a driver with a mandate at the provider leave with a bill; returns its keys and stay."""
    driver_id = await world.add_driver()
    [row] = await world.rows("SELECT binding_id FROM driver_plates")
    wish = Wish(provider=provider.name, binding_id=row["binding_id"])
    await world.permit(driver_id, wish, provider=provider)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    # This process has no provider: the display asks for the money.
    known = world.context.providers
    world.context = replace(world.context, providers={})
    world.gate = type(world.gate)(world.context)
    assert (await world.drive_out()).reason == "payment_due"
    world.context = replace(world.context, providers=known)
    [bill] = await world.rows("SELECT operator_id, id FROM bills")
    return bill["operator_id"], bill["id"], session_id


def die(monkeypatch: pytest.MonkeyPatch, target: object, name: str, *, after: bool) -> None:
    """Let the process die before a call, or right after it."""
    call = getattr(target, name)

    async def killed(*args: Any, **named: Any) -> None:  # noqa: ANN401 - the call's own
        if after:
            await call(*args, **named)
        raise Killed

    monkeypatch.setattr(target, name, killed)


async def recover(world: LaneWorld) -> list[str]:
    """Let workers do their round until a day has passed; returns where every order stands."""
    for _ in range(30):
        world.wait(minutes=1)
        await settlement.sweep(world.context)
    for _ in range(6):
        world.wait(hours=4)
        await settlement.sweep(world.context)
    rows = await world.rows("SELECT state, problem FROM payment_attempts ORDER BY sent_at, id")
    assert {row["problem"] for row in rows} <= {None}
    return [row["state"] for row in rows]


async def books_agree(world: LaneWorld, provider: FakeProvider, *, captured: int) -> None:
    assert provider.captured("CNY") == captured
    balances = await world.balances()
    assert sum(balances.values()) == 0
    assert balances.get((f"provider:{provider.name}", "CNY"), 0) == captured
    [bill] = await world.rows("SELECT state, live_attempt_id FROM bills")
    assert bill["live_attempt_id"] is None
    assert (bill["state"] == "paid") is (captured == 1000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["before the call", "after the call", "before the outcome"])
async def test_whoever_dies_while_charging_charged_once(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    provider = add_provider(world, kind, **KINDS[kind])
    operator_id, bill_id, _ = await owing(world, provider)
    with monkeypatch.context() as patched:
        if step == "before the outcome":
            die(patched, settlement, "settle", after=False)
        else:
            die(patched, provider, "charge", after=step == "after the call")
        with pytest.raises(Killed):
            await charging.charge_bill(world.context, operator_id, bill_id, is_waited_for=False)
    assert [row["state"] for row in await world.rows("SELECT state FROM payment_attempts")] == [
        "sent"
    ]
    assert await recover(world) == ["succeeded"]
    await books_agree(world, provider, captured=1000)


@pytest.mark.parametrize("step", ["query", "charge", "settle"])
async def test_whoever_dies_while_asking_leaves_the_question_to_the_next(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    provider = add_provider(world, "alipay")
    operator_id, bill_id, _ = await owing(world, provider)
    provider.play(*[Fault.LOSE_ANSWER_BEFORE] * 3)
    await charging.charge_bill(world.context, operator_id, bill_id)
    with monkeypatch.context() as patched:
        target = settlement if step == "settle" else provider
        die(patched, target, step, after=step == "charge")
        world.wait(minutes=1)
        # The sweep asks about many at once: the death of one question ends no other.
        assert await settlement.sweep(world.context) == 1
    [row] = await world.rows("SELECT state FROM payment_attempts")
    assert row["state"] == "unknown"
    assert await recover(world) == ["succeeded"]
    await books_agree(world, provider, captured=1000)


@pytest.mark.parametrize("kind", ["stripe", "alipay"])
async def test_an_order_that_is_too_old_is_closed_and_never_sent_again(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    provider = add_provider(world, kind, **KINDS[kind])
    operator_id, bill_id, _ = await owing(world, provider)
    with monkeypatch.context() as patched:
        die(patched, provider, "charge", after=False)
        with pytest.raises(Killed):
            await charging.charge_bill(world.context, operator_id, bill_id)
    sent: list[str] = []
    charge = provider.charge

    async def counted(order: Any) -> Any:  # noqa: ANN401 - the port's
        sent.append(order.number)
        return await charge(order)

    monkeypatch.setattr(provider, "charge", counted)
    # Nothing ran for longer than providers keep to a number.
    world.wait(hours=25)
    await settlement.sweep(world.context)
    assert sent == []
    assert await recover(world) == ["failed"]
    await books_agree(world, provider, captured=0)
    # Only now, under another number.
    attempt = await charging.charge_bill(world.context, operator_id, bill_id)
    assert attempt is not None
    assert attempt.state == "succeeded"
    assert sent == [attempt.number]
    await books_agree(world, provider, captured=1000)


@pytest.mark.parametrize("is_paid", [True, False])
async def test_whoever_dies_while_a_page_opens_leaves_no_second_one(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch, *, is_paid: bool
) -> None:
    provider = add_provider(world, "alipay")
    _, _, session_id = await owing(world, provider)
    token = pay_token(world.context.vault, world.entry.operator_id, session_id)
    with monkeypatch.context() as patched:
        die(patched, provider, "start_checkout", after=True)
        with pytest.raises(Killed):
            await checkout.start(world.context, token, "alipay")
    await checkout.start(world.context, token, "alipay")
    [page] = await world.rows("SELECT number FROM payment_attempts")
    if is_paid:
        assert provider.pay(page["number"])
    else:
        provider.settle(page["number"], OrderStatus.FAILED, "expired")
    assert await recover(world) == ["succeeded" if is_paid else "failed"]
    await books_agree(world, provider, captured=1000 * is_paid)


@pytest.mark.parametrize("step", ["close", "settle"])
async def test_whoever_dies_while_switching_leaves_one_way_to_pay(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    provider, other = add_provider(world, "alipay"), add_provider(world, "wechat")
    _, _, session_id = await owing(world, provider)
    token = pay_token(world.context.vault, world.entry.operator_id, session_id)
    await checkout.start(world.context, token, "wechat")
    with monkeypatch.context() as patched:
        target = settlement if step == "settle" else other
        die(patched, target, step, after=step == "close")
        with pytest.raises(Killed):
            await checkout.start(world.context, token, "alipay")
    [page] = await world.rows("SELECT number, state FROM payment_attempts")
    assert page["state"] == "sent"
    # It was closed before the process died: whoever still sees it cannot pay there.
    assert not other.pay(page["number"])
    await checkout.start(world.context, token, "alipay")
    [number] = await world.rows("SELECT number FROM payment_attempts WHERE provider = 'alipay'")
    assert provider.pay(number["number"])
    assert sorted(await recover(world)) == ["failed", "succeeded"]
    await books_agree(world, provider, captured=1000)


async def closed_too_early(world: LaneWorld, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let a provider say that it closed an order which it never saw; returns its attempt."""
    provider = add_provider(world, "wechat", needs_plate=True)
    operator_id, bill_id, _ = await owing(world, provider)
    with monkeypatch.context() as patched:
        die(patched, provider, "charge", after=False)
        with pytest.raises(Killed):
            await charging.charge_bill(world.context, operator_id, bill_id)
    world.wait(hours=13)
    await settlement.sweep(world.context)
    [attempt] = await world.rows("SELECT * FROM payment_attempts")
    assert (attempt["state"], attempt["failure_code"]) == ("failed", "closed")
    return attempt


def took(attempt: dict[str, Any]) -> ChargeResult:
    return ChargeResult(
        number=attempt["number"],
        status=OrderStatus.SUCCEEDED,
        provider_reference="late",
        amount=Money(1000, "CNY"),
    )


async def test_money_of_an_order_that_had_failed_pays_its_bill_once(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await closed_too_early(world, monkeypatch)
    key = (attempt["operator_id"], attempt["id"])
    for _ in range(2):
        await settlement.settle(world.context, *key, took(attempt))
    [row] = await world.rows("SELECT state, failure_code, problem FROM payment_attempts")
    assert dict(row) == {"state": "succeeded", "failure_code": None, "problem": None}
    assert (await world.balances())["provider:wechat", "CNY"] == 1000
    assert await world.count("mandate_uses") == 1
    assert await charging.charge_bill(world.context, key[0], attempt["bill_id"]) is None
    [bill] = await world.rows("SELECT state, paid_attempt_id FROM bills")
    assert dict(bill) == {"state": "paid", "paid_attempt_id": key[1]}


async def test_money_that_comes_twice_is_for_staff_and_moves_nothing(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await closed_too_early(world, monkeypatch)
    key = (attempt["operator_id"], attempt["id"])
    await charging.charge_bill(world.context, key[0], attempt["bill_id"])
    before = await world.balances()
    await settlement.settle(world.context, *key, took(attempt))
    [listed] = await stuck.page_of_stuck(world.context, key[0], first=9, before=None)
    assert (listed.id, listed.state, listed.problem) == (key[1], "failed", "taken_after_end")
    assert await world.balances() == before
    ended = await stuck.end_by_hand(world.context, *key, by="Ada", reason="Given back")
    assert (ended.problem, ended.ended_by) == (None, "Ada")
    # Told again, it is on the list again: whoever ended it saw money once.
    await settlement.settle(world.context, *key, took(attempt))
    again = await stuck.end_by_hand(world.context, *key, by="Bob", reason="The same money")
    assert (again.problem, again.ended_by) == (None, "Ada")
    assert await world.balances() == before


async def test_whoever_stood_still_before_the_call_leaves_it_to_the_others(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = add_provider(world, "wechat", needs_plate=True)
    operator_id, bill_id, _ = await owing(world, provider)
    send = charging.call_provider

    async def late(*arguments: Any, **named: Any) -> None:  # noqa: ANN401 - the call's own
        world.wait(seconds=8)
        await send(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(charging, "call_provider", late)
        attempt = await charging.charge_bill(world.context, operator_id, bill_id)
    assert attempt is not None
    assert attempt.state == "sent"
    assert provider.captured("CNY") == 0
    assert await recover(world) == ["succeeded"]
    await books_agree(world, provider, captured=1000)


async def test_what_stays_accepted_for_a_day_is_for_staff(world: LaneWorld) -> None:
    provider = add_provider(world, "alipay")
    operator_id, bill_id, _ = await owing(world, provider)
    provider.play(Fault.ACCEPT)
    await charging.charge_bill(world.context, operator_id, bill_id)
    world.wait(hours=24)
    await settlement.sweep(world.context)
    assert await stuck.page_of_stuck(world.context, operator_id, first=9, before=None) == []
    world.wait(minutes=6)
    await settlement.sweep(world.context)
    [listed] = await stuck.page_of_stuck(world.context, operator_id, first=9, before=None)
    assert (listed.state, listed.problem) == ("accepted", "unanswered")
    assert provider.pay(listed.number)
    world.wait(minutes=6)
    assert await recover(world) == ["succeeded"]
    await books_agree(world, provider, captured=1000)


@pytest.mark.parametrize("is_by_page", [False, True])
async def test_what_the_next_stay_takes_back_is_paid_once(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch, *, is_by_page: bool
) -> None:
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(hours=3)
    # Its plate is shown at the entry again, and drives out at once.
    await world.drive_in()
    world.wait(minutes=2)
    [owed] = await world.rows("SELECT operator_id, id, state FROM bills")
    assert owed["state"] == "owed"
    key, rivals = (owed["operator_id"], owed["id"]), set[asyncio.Task[object]]()
    take_back = exit_flow.take_back

    async def with_rival(*arguments: Any) -> Any:  # noqa: ANN401 - the call's own
        paying = (
            checkout.open_bill_page(world.context, *key, "https://app.example")
            if is_by_page
            else charging.charge_bill(world.context, *key)
        )
        rivals.add(asyncio.create_task(paying))
        await asyncio.wait(rivals, timeout=0.3)
        return await take_back(*arguments)

    monkeypatch.setattr(exit_flow, "take_back", with_rival)
    assert (await world.drive_out()).reason == "paid"
    [outcome] = await asyncio.gather(*rivals, return_exceptions=True)
    assert outcome is None or isinstance(outcome, NothingDueError)
    rows = await world.rows("SELECT state, live_attempt_id FROM bills ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [("void", None), ("paid", None)]
    assert world.provider.captured("CNY") == 3000
