"""A stay from the entry to the exit: what is decided, charged and told."""

import asyncio

import pytest

from parking.flows import driver_view
from parking.flows.binding import adopt_open_stays
from parking.flows.pay_link import pay_token
from parking.flows.payments import checkout, notices
from parking.payments.errors import BillUnknownError
from parking.payments.fake import Fault
from parking.plates import service as plates
from tests.factories.lane_world import PLATE, WEIGHTS, LaneWorld, read_of


async def test_bound_driver_is_charged_once_and_let_out(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    await world.drive_in()
    world.wait(minutes=45)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "paid")
    assert decision.command is not None
    assert decision.display.lines == (PLATE, "Paid 10.00 CNY", "Goodbye")
    assert world.provider.captured("CNY") == 1000
    assert await world.balances() == {
        ("provider:fake", "CNY"): 1000,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): -1000,
    }
    [session] = await world.rows("SELECT state, version, left_at FROM sessions")
    assert session["state"] == "left"
    assert await world.count("open_sessions") == 0
    told = await world.rows("SELECT type, version FROM outbox ORDER BY version")
    assert [row["type"] for row in told] == [
        "SessionEntered",
        "GateOpened",
        "PaymentCharged",
        "GateOpened",
        "SessionEnded",
    ]
    assert [row["version"] for row in told] == [1, 2, 3, 4, 5]
    assert session["version"] == 5


async def test_short_stay_is_free(world: LaneWorld) -> None:
    await world.drive_in()
    world.wait(minutes=10)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "zero_due")
    assert decision.display.lines == (PLATE, "Nothing due", "Goodbye")
    assert await world.balances() == {}
    assert await world.count("payment_attempts") == 0


async def test_temporary_user_pays_by_qr_and_the_gate_opens(world: LaneWorld) -> None:
    await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert (decision.action, decision.reason, decision.command) == ("pay", "payment_due", None)
    assert decision.display.lines == (PLATE, "10.00 CNY", "Scan to pay")
    url = decision.display.qr
    assert url is not None
    assert url.startswith("https://pay.example/pay/")
    token = url.rpartition("/")[2]
    # The amount that the display names stays, and so do the lines that make it up.
    world.wait(minutes=30)
    page = await checkout.bill_of(world.context, token)
    assert (page.state, page.due.amount_minor, page.plate_masked) == ("due", 1000, "京A•••31")
    assert (page.total, sum(line.amount_minor for line in page.lines)) == (page.due, 1000)
    first = await checkout.start(world.context, token)
    # A second tap leads to the same page, not to a second order.
    assert await checkout.start(world.context, token) == first
    [attempt] = await world.rows("SELECT operator_id, number, state FROM payment_attempts")
    assert attempt["state"] == "sent"
    assert await world.gate.pending_commands(world.exit, presentation_id) == []
    assert world.provider.pay(attempt["number"])
    sent = world.provider.notices[-1]
    notice = world.provider.verify_notices(sent.headers, sent.body)[0]
    for _ in range(2):
        await notices.receive_notice(world.context, "fake", notice)
    [command] = await world.gate.pending_commands(world.exit, presentation_id)
    assert command.presentation_id == presentation_id
    assert (await checkout.bill_of(world.context, token)).state == "paid"
    assert (await world.balances())["receivable", "CNY"] == 0
    assert await world.count("gate_commands") == 2  # the entry and the exit


async def test_altered_pay_token_is_refused(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    token = pay_token(world.context.vault, world.entry.operator_id, session_id)
    assert (await checkout.bill_of(world.context, token)).state == "paid"
    altered = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for wrong in (altered, token[:-4], "", "ä", "/" * 64):
        with pytest.raises(BillUnknownError):
            await checkout.bill_of(world.context, wrong)


async def test_declined_payment_asks_for_qr_and_moves_nothing(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=45)
    world.provider.play(Fault.DECLINE)
    decision = await world.drive_out()
    assert (decision.action, decision.reason, decision.command) == ("pay", "payment_due", None)
    assert world.provider.captured("CNY") == 0
    assert await world.balances() == {("receivable", "CNY"): 1000, ("revenue", "CNY"): -1000}
    assert await world.count("gate_commands") == 1  # the entry's
    types = [row["type"] for row in await world.rows("SELECT type FROM outbox ORDER BY version")]
    assert types[-2:] == ["PaymentRefused", "BillDue"]


async def test_misread_exit_finds_its_session(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    session_id = await world.drive_in()
    await world.drive_in("沪B12345")
    world.wait(minutes=45)
    decision = await world.drive_out("京AB8731")  # an 8 read as a B
    assert (decision.action, decision.reason) == ("open", "paid")
    assert decision.display.lines[0] == PLATE
    [left] = await world.rows("SELECT id FROM sessions WHERE state = 'left'")
    assert left["id"] == session_id


async def test_unknown_plate_at_exit_is_refused_and_nothing_moves(world: LaneWorld) -> None:
    await world.drive_in()
    world.wait(minutes=45)
    decision = await world.drive_out("沪C99999")
    assert (decision.action, decision.reason, decision.command) == ("refuse", "no_session", None)
    assert decision.display.lines == ("No entry found", "Please call staff")
    assert await world.count("bills") == 0
    [session] = await world.rows("SELECT state FROM sessions")
    assert session["state"] == "active"


async def test_unsure_read_at_entry_opens_nothing(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    decision = await world.decide(world.entry, presentation_id, read_of(PLATE, 0.3))
    assert (decision.action, decision.reason) == ("refuse", "plate_unsure")
    assert await world.count("sessions") == 0
    assert await world.count("gate_commands") == 0


async def test_same_observation_twice_decides_once(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    first = await world.decide(world.exit, presentation_id, read_of(PLATE))
    again = await world.decide(world.exit, presentation_id, read_of("沪C99999"))
    resumed = await world.gate.resume(world.exit, presentation_id)
    assert first.command is not None
    assert again.command is not None
    assert resumed is not None
    assert resumed.command is not None
    assert first.command.command_id == again.command.command_id == resumed.command.command_id
    assert world.provider.captured("CNY") == 1000
    assert await world.count("observations") == 2
    assert await world.count("payment_attempts") == 1


async def test_two_bridges_deciding_at_once_charge_once(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    decisions = await asyncio.gather(
        *(world.decide(world.exit, presentation_id, read_of(PLATE)) for _ in range(4))
    )
    assert {decision.action for decision in decisions} <= {"open", "wait"}
    assert "open" in {decision.action for decision in decisions}
    assert world.provider.captured("CNY") == 1000
    assert await world.count("payment_attempts") == 1
    assert await world.count("gate_commands") == 2


async def test_two_exits_of_one_car_at_once_charge_once(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=45)
    here = await world.arrive(world.exit)
    there = await world.arrive(world.second_exit)
    decisions = await asyncio.gather(
        world.decide(world.exit, here, read_of(PLATE)),
        world.decide(world.second_exit, there, read_of(PLATE)),
    )
    assert sorted(decision.reason for decision in decisions) == ["leaving_elsewhere", "paid"]
    assert world.provider.captured("CNY") == 1000
    assert await world.count("gate_commands") == 2
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_two_entries_of_one_plate_at_once_leave_one_open(world: LaneWorld) -> None:
    here = await world.arrive(world.entry)
    there = await world.arrive(world.second_entry)
    decisions = await asyncio.gather(
        world.decide(world.entry, here, read_of(PLATE)),
        world.decide(world.second_entry, there, read_of(PLATE)),
    )
    assert [decision.action for decision in decisions] == ["open", "open"]
    assert await world.count("open_sessions") == 1
    states = await world.rows("SELECT state FROM sessions ORDER BY state")
    assert [row["state"] for row in states] == ["active", "unresolved"]


async def test_car_that_left_the_loop_is_neither_let_in_nor_charged(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    gone = await world.arrive(world.entry)
    await world.clear(world.entry, gone)
    decision = await world.decide(world.entry, gone, read_of(PLATE))
    assert (decision.action, decision.reason) == ("refuse", "car_gone")
    assert await world.count("sessions") == 0
    assert await world.count("outbox") == 0
    await world.drive_in()
    world.wait(minutes=45)
    gone = await world.arrive(world.exit)
    await world.clear(world.exit, gone)
    decision = await world.decide(world.exit, gone, read_of(PLATE))
    assert (decision.action, decision.reason) == ("refuse", "car_gone")
    assert world.provider.captured("CNY") == 0
    assert await world.count("bills") == 0


async def test_car_that_left_before_the_gate_moved_never_came_in(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(PLATE))
    await world.clear(world.entry, presentation_id)
    [session] = await world.rows("SELECT state FROM sessions")
    assert session["state"] == "cancelled"
    assert await driver_view.active_sessions(world.context, driver_id) == []
    world.wait(hours=5)
    await world.drive_in()
    assert await world.count("bills") == 0


async def test_an_observation_says_which_weights_read_the_plate(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    read = read_of(PLATE).model_copy(update={"region": "cn"})
    await world.decide(world.entry, presentation_id, read)
    assert await world.rows("SELECT method, source FROM observations") == [
        {"method": "anpr", "source": WEIGHTS.name}
    ]


async def test_cameras_own_read_outlives_the_bridge(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    reads = (("京A88780", 0.4, "camera-1"), (PLATE, 0.96, "camera-2"))
    for text, confidence, camera in reads:
        await world.gate.record_observation(
            world.entry,
            world.event(world.entry),
            presentation_id,
            read_of(text, confidence),
            camera,
        )
    # The bridge dies here, before it decides; the next one asks what is to be done.
    decision = await world.gate.resume(world.entry, presentation_id)
    assert decision is not None
    assert (decision.action, decision.display.lines[0]) == ("open", PLATE)
    assert await world.rows("SELECT method, source FROM observations") == [
        {"method": "camera", "source": "camera-2"}
    ]
    [event] = await world.rows(
        "SELECT detail, read_sealed FROM lane_events WHERE kind = 'observation' AND seq = 3"
    )
    assert PLATE not in str(event["detail"])
    assert PLATE.encode() not in event["read_sealed"]


async def test_text_that_is_no_plate_opens_nothing(world: LaneWorld) -> None:
    for text in ("-", "·", "🚗🚗"):
        presentation_id = await world.arrive(world.entry)
        decision = await world.decide(world.entry, presentation_id, read_of(text))
        assert (decision.action, decision.reason) == ("refuse", "plate_unsure")
    assert await world.count("sessions") == 0


async def test_unbinding_takes_effect_at_the_next_gate(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    await world.drive_in()
    async with world.context.database.begin() as unit:
        [plate] = await plates.list_plates(unit, driver_id)
        await plates.unbind_plate(unit, driver_id, plate.binding_id)
    world.wait(minutes=45)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("pay", "payment_due")
    assert world.provider.captured("CNY") == 0


async def test_declined_bill_is_not_charged_to_who_unbound_the_plate(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    await world.drive_in()
    world.wait(minutes=45)
    world.provider.play(Fault.DECLINE)
    here = await world.arrive(world.exit)
    declined = await world.decide(world.exit, here, read_of(PLATE))
    assert declined.action == "pay"
    await world.clear(world.exit, here)
    # The driver signs up another account and unbinds the plate, whose bill still stands.
    await world.permit(driver_id)
    async with world.context.database.begin() as unit:
        [plate] = await plates.list_plates(unit, driver_id)
        await plates.unbind_plate(unit, driver_id, plate.binding_id)
    there = await world.arrive(world.second_exit)
    decision = await world.decide(world.second_exit, there, read_of(PLATE))
    assert (decision.action, decision.reason) == ("pay", "payment_due")
    assert world.provider.captured("CNY") == 0
    assert await world.count("payment_attempts") == 1


async def test_new_owner_pays_and_the_former_one_watches_no_more(world: LaneWorld) -> None:
    former = await world.add_driver()
    session_id = await world.drive_in()
    assert await driver_view.find_session(world.context, former, session_id) is not None
    async with world.context.database.begin() as unit:
        [plate] = await plates.list_plates(unit, former)
        await plates.unbind_plate(unit, former, plate.binding_id)
    owner = await world.add_driver()
    await world.permit(owner)
    world.wait(minutes=45)
    assert (await world.drive_out()).reason == "paid"
    assert await driver_view.find_session(world.context, former, session_id) is None
    seen = await driver_view.find_session(world.context, owner, session_id)
    assert seen is not None
    assert (seen.state, seen.bill.paid.amount_minor) == ("left", 1000)


async def test_plate_bound_while_its_car_is_inside_shows_the_stay(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    other = await world.add_driver("沪B12345")
    assert await adopt_open_stays(world.context, "沪B12345") == 0
    driver_id = await world.add_driver()
    assert await adopt_open_stays(world.context, PLATE) == 1
    assert await adopt_open_stays(world.context, PLATE) == 0
    [view] = await driver_view.active_sessions(world.context, driver_id)
    assert (view.id, view.version) == (session_id, 3)
    assert await driver_view.active_sessions(world.context, other) == []
    await world.permit(driver_id)
    world.wait(minutes=45)
    assert (await world.drive_out()).reason == "paid"
    assert await driver_view.active_sessions(world.context, driver_id) == []


async def test_car_that_backs_out_of_the_entry_owes_nothing(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(PLATE))
    await world.barrier(world.entry, presentation_id, "opened", "backed_out")
    await world.clear(world.entry, presentation_id)
    [session] = await world.rows("SELECT state FROM sessions")
    assert session["state"] == "cancelled"
    world.wait(minutes=45)
    decision = await world.drive_out()
    assert decision.reason == "no_session"
