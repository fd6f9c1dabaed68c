"""A driver whose plate is bound: the bill ticks on the phone, the exit charges, the gate opens."""

from typing import Final

from sesame.demo.follower import Follower, following
from sesame.demo.phone import Phone
from sesame.demo.scenarios.act import Act
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.town import LAKESIDE

TICKS: Final = 3
TICKS_TIMEOUT_S: Final = 20.0
END_TIMEOUT_S: Final = 15.0
NOTICES: Final = ["gate_opened_entry", "gate_opened_exit", "payment_charged", "session_entered"]
CHANGES: Final = ["PaymentCharged", "GateOpened", "SessionEnded"]


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.bound
    operator_id = stage.town.town.place(LAKESIDE).operator_id
    async with stage.town.phone(car.plate) as phone:
        await stage.bind(act, phone, car)
        await stage.drive_in(act, LAKESIDE, car)
        session = await phone.active_session(car.plate)

        async with following(
            phone, session["id"], lambda update: stage.on_update(car.plate, update)
        ) as follower:
            act.step("the bill ticks on the phone")
            await _ticks(act, follower)
            await stage.drive_out(act, LAKESIDE, car.pictures)
            await follower.wait(lambda update: update["event"] == "SessionEnded", END_TIMEOUT_S)
            act.expect("changes on the subscription", follower.events()[-3:], CHANGES)

        session_id = session_uuid(session)
        paid = await stage.expect_paid_once(act, operator_id, session_id, kind="charge")
        ended = await phone.session(session["id"])
        act.expect("the bill in the app", ended["bill"]["paid"]["amountMinor"], paid.amount_minor)
        act.expect("what is still due in the app", ended["bill"]["due"]["amountMinor"], 0)
        told = ["SessionEntered", "GateOpened", "PaymentCharged", "GateOpened"]
        await stage.expect_pushes(act, phone, session_id, told)
        await _read_inbox(act, phone, session["id"])


async def _read_inbox(act: Act, phone: Phone, session_id: str) -> None:
    notices = await phone.inbox(session_id)
    act.step(f"the app's inbox: {'; '.join(notice['title'] for notice in reversed(notices))}")
    act.expect("the inbox", sorted(notice["template"] for notice in notices), NOTICES)
    await phone.acknowledge(notices)
    seen = [notice["acknowledgedAt"] is not None for notice in await phone.inbox(session_id)]
    act.expect("what was seen", seen, [True] * len(NOTICES))


async def _ticks(act: Act, follower: Follower) -> None:
    await follower.wait(lambda _: len(follower.dues_minor("TICK")) >= TICKS, TICKS_TIMEOUT_S)
    act.expect("the first update", follower.updates[0]["reason"], "SNAPSHOT")
    dues = follower.dues_minor("TICK")
    act.expect_that("each tick is dearer than the one before", holds=dues == sorted(set(dues)))
    act.facts["ticks"] = len(dues)
