"""Ways to park for nothing or at a stranger's expense, each refused."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from parking.flows import driver_view
from parking.flows.lane_types import Lane, LaneEvent, PresentationState
from parking.flows.pay_link import pay_token
from parking.flows.payments import checkout, notices, prepay, settlement
from parking.kit.ids import new_id
from parking.lanes.models import CommandState
from parking.payments.port import ChargeResult, OrderStatus, SentOrder
from parking.plates import service as plates
from tests.factories.lane_world import PLATE, LaneWorld, read_of


async def page_paid(world: LaneWorld, number: str) -> None:
    assert world.provider.pay(number)
    sent = world.provider.notices[-1]
    notice = world.provider.verify_notices(sent.headers, sent.body)[0]
    await notices.receive_notice(world.context, "fake", notice)


async def last_number(world: LaneWorld) -> str:
    rows = await world.rows("SELECT number FROM payment_attempts ORDER BY sent_at DESC, id DESC")
    number: str = rows[0]["number"]
    return number


@pytest.mark.parametrize("off", [timedelta(days=-60), timedelta(days=-9000), timedelta(days=3)])
async def test_wrong_clock_at_the_entry_moves_no_money(world: LaneWorld, off: timedelta) -> None:
    await world.permit(await world.add_driver())
    presentation_id = new_id(world.clock.now())
    event = world.event(world.entry)
    wrong = LaneEvent(event.event_id, event.seq, event.occurred_at + off)
    await world.gate.present(world.entry, wrong, presentation_id, PresentationState.OCCUPIED)
    assert (await world.decide(world.entry, presentation_id, read_of(PLATE))).action == "open"
    await world.barrier(world.entry, presentation_id, "opened", "passed")
    world.wait(minutes=12)
    assert (await world.drive_out()).reason == "paid"
    # At most five minutes of a wrong clock are believed: 12 to 17 minutes cost one block.
    assert world.provider.captured("CNY") == 500


async def test_slow_clock_at_the_exit_frees_nobody(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(hours=30)
    presentation_id = new_id(world.clock.now())
    event = world.event(world.exit)
    slow = LaneEvent(event.event_id, event.seq, event.occurred_at - timedelta(hours=29, minutes=55))
    await world.gate.present(world.exit, slow, presentation_id, PresentationState.OCCUPIED)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).reason == "paid"
    assert world.provider.captured("CNY") >= 3000


async def test_old_page_paid_at_the_exit_does_not_open_at_the_old_price(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=15)
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    await checkout.start(world.context, token)
    number = await last_number(world)
    world.wait(minutes=30)
    # The money moves as the car rolls onto the loop; the notice is still on its way.
    assert world.provider.pay(number)
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert (decision.action, decision.command) == ("pay", None)
    assert decision.display.lines[1] == "5.00 CNY"
    assert world.provider.captured("CNY") == 500


async def test_page_opened_at_the_exit_and_paid_from_inside_gives_no_grace(
    world: LaneWorld,
) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=15)
    first = await world.arrive(world.exit)
    assert (await world.decide(world.exit, first, read_of(PLATE))).action == "pay"
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    await checkout.start(world.context, token)
    number = await last_number(world)
    await world.clear(world.exit, first)
    world.wait(minutes=29)
    await page_paid(world, number)
    again = await world.arrive(world.exit)
    decision = await world.decide(world.exit, again, read_of(PLATE))
    assert decision.action == "pay"
    assert decision.display.lines[1] == "5.00 CNY"
    assert await world.gate.pending_commands(world.exit, again) == []


async def test_page_of_this_exit_opens_this_exit(world: LaneWorld) -> None:
    """The page was opened inside, nothing was added to the price since: paying it opens."""
    session_id = await world.drive_in()
    world.wait(minutes=15)
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    await checkout.start(world.context, token)
    world.wait(minutes=1)
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "pay"
    await page_paid(world, await last_number(world))
    [command] = await world.gate.pending_commands(world.exit, presentation_id)
    assert command.presentation_id == presentation_id


@pytest.mark.parametrize(("text", "confidence"), [(PLATE, 0.02), ("沪X12K6C", 0.3)])
async def test_guess_at_the_exit_charges_nobody(
    world: LaneWorld, text: str, confidence: float
) -> None:
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(text, confidence))
    assert (decision.action, decision.reason) == ("refuse", "plate_unsure")
    assert world.provider.captured("CNY") == 0
    assert await world.count("bills") == 0


async def test_second_entry_of_a_plate_leaves_the_first_stay_owed(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    first = await world.drive_in()
    world.wait(hours=30)
    await world.drive_in()
    world.wait(minutes=16)
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 500
    [stay] = await world.rows("SELECT state FROM sessions WHERE id = :id", id=first)
    assert stay["state"] == "unresolved"
    [bill] = await world.rows(
        "SELECT state, total_minor FROM bills WHERE session_id = :id", id=first
    )
    assert bill["state"] == "owed"
    assert bill["total_minor"] >= 3000
    assert (await world.balances())["receivable", "CNY"] == bill["total_minor"]
    assert await driver_view.active_sessions(world.context, driver_id) == []
    listed = await driver_view.page_sessions(world.context, driver_id, first=10, before=None)
    assert [view.state for view in listed] == ["left", "unresolved"]


@pytest.mark.parametrize("entries", [1, 2])
@pytest.mark.parametrize("seconds", [0, 240])
async def test_plate_shown_at_the_entry_does_not_end_a_long_stay_for_nothing(
    world: LaneWorld, entries: int, seconds: int
) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    entered_at = world.clock.now()
    first = await world.drive_in()
    world.wait(hours=2)
    for _ in range(entries):
        world.wait(seconds=seconds)
        await world.drive_in()
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == (2000 if seconds == 0 else 2500)
    assert (await world.balances())["receivable", "CNY"] == 0
    [left] = await world.rows(
        "SELECT circumstances FROM sessions WHERE state = 'left' AND id <> :id", id=first
    )
    assert datetime.fromisoformat(left["circumstances"]["continues_from"]) == entered_at
    assert await world.count("payment_attempts") == 1
    # In the driver's list the earlier stays say that another one bills them.
    views = await driver_view.page_sessions(world.context, driver_id, first=10, before=None)
    for view in views:
        assert sum(line.amount_minor for line in view.bill.lines) == view.bill.due.amount_minor == 0
    assert views[-1].bill.lines[-1].reason == "not_billed"


async def test_plate_shown_at_the_entry_while_its_car_stands_at_the_exit(world: LaneWorld) -> None:
    await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "pay"
    await world.drive_in()
    decision = await world.gate.resume(world.exit, presentation_id)
    assert decision is not None
    assert (decision.action, decision.display.lines[1]) == ("pay", "10.00 CNY")
    states = await world.rows("SELECT state FROM sessions ORDER BY id")
    assert [row["state"] for row in states] == ["unresolved", "leaving"]
    due = await world.rows("SELECT total_minor FROM bills WHERE state IN ('issued', 'owed')")
    assert [row["total_minor"] for row in due] == [1000]


async def test_forgotten_car_of_two_years_can_still_be_listed_and_leave(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.drive_in()
    world.wait(days=401)
    [view] = await driver_view.active_sessions(world.context, driver_id)
    assert view.bill.next_change_at is None
    assert (await world.drive_out()).action == "pay"


async def test_driver_who_allows_payment_at_the_gate_is_let_out(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "pay"
    await world.permit(driver_id)
    [command] = await world.gate.pending_commands(world.exit, presentation_id)
    assert command.presentation_id == presentation_id
    assert world.provider.captured("CNY") == 1000


async def test_payer_who_unbinds_keeps_what_was_paid_in_the_history(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    await prepay.prepay(world.context, driver_id, session_id)
    async with world.context.database.begin() as unit:
        [plate] = await plates.list_plates(unit, driver_id)
        await plates.unbind_plate(unit, driver_id, plate.binding_id)
    assert (await world.drive_out()).reason == "zero_due"
    view = await driver_view.find_session(world.context, driver_id, session_id)
    assert view is not None
    assert view.bill.paid.amount_minor == 1000


async def test_another_lane_cannot_speak_for_a_car(world: LaneWorld) -> None:
    await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "pay"
    await clear_from(world, world.entry, presentation_id)
    await world.barrier(world.second_exit, presentation_id, "opened", "passed")
    [row] = await world.rows(
        "SELECT cleared_at FROM presentations WHERE id = :id", id=presentation_id
    )
    assert row["cleared_at"] is None
    [stay] = await world.rows("SELECT state FROM sessions")
    assert stay["state"] == "leaving"
    [entry_command] = await world.rows("SELECT id FROM gate_commands")
    await world.gate.command_answered(
        world.exit, entry_command["id"], CommandState.REJECTED, "not mine"
    )
    [command] = await world.rows("SELECT state FROM gate_commands")
    assert command["state"] == "issued"


async def clear_from(world: LaneWorld, lane: Lane, presentation_id: UUID) -> None:
    assert await world.gate.pending_commands(lane, presentation_id) == []
    await world.clear(lane, presentation_id)


async def test_page_opened_for_a_stay_set_aside_frees_nobody(world: LaneWorld) -> None:
    first = await world.drive_in()
    world.wait(hours=2)
    await world.drive_in()
    token = pay_token(world.context.vault, world.exit.operator_id, first)
    await checkout.start(world.context, token)
    decision = await world.drive_out()
    assert (decision.action, decision.display.lines[1]) == ("pay", "20.00 CNY")
    # The page of the earlier stay takes no money any more.
    assert not world.provider.pay(await last_number(world))
    assert (await world.balances())["receivable", "CNY"] == 2000


async def test_page_of_a_stay_set_aside_that_does_not_close_keeps_the_car(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await world.drive_in()
    world.wait(hours=2)
    await world.drive_in()
    token = pay_token(world.context.vault, world.exit.operator_id, first)
    await checkout.start(world.context, token)
    asked: list[str] = []

    async def silent(order: SentOrder) -> ChargeResult:
        asked.append(order.number)
        return ChargeResult(number=order.number, status=OrderStatus.UNKNOWN)

    presentation_id = await world.arrive(world.exit)
    with monkeypatch.context() as patched:
        patched.setattr(world.provider, "close", silent)
        decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
        assert (decision.action, decision.reason) == ("wait", "charging")
        assert decision.display.lines[1] == "20.00 CNY"
        assert decision.display.qr is not None
        assert decision.display.qr.endswith(token)
        # Once each time that somebody looks.
        assert len(asked) == 1
        assert await world.gate.pending_commands(world.exit, presentation_id) == []
        assert len(asked) == 2
    assert world.provider.pay(await last_number(world))
    world.wait(minutes=1)
    await settlement.sweep(world.context)
    assert len(await world.gate.pending_commands(world.exit, presentation_id)) == 1
    assert world.provider.captured("CNY") == 2000
