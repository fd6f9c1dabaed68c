"""A payment that the driver's bank declines: the gate stays shut until the bill is paid by QR."""

from typing import Final

from sesame.demo.scenarios.act import Act
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.scenarios.temporary import pay_by_qr
from sesame.demo.town import ALTMARKT

TOLD: Final = (
    "SessionEntered",
    "GateOpened",
    "PaymentRefused",
    "BillDue",
    "PaymentCharged",
    "GateOpened",
)


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.declined
    operator_id = stage.town.town.place(ALTMARKT).operator_id
    async with stage.town.phone(car.plate) as phone:
        agreement = await stage.agreement(await stage.bind(act, phone, car))
        await stage.drive_in(act, ALTMARKT, car)
        session_id = session_uuid(await phone.active_session(car.plate))
        await stage.stay(act)
        act.step("the bank will decline")
        await stage.town.desk.play(scenario="decline", matching="agreement", agreement=agreement)

        async with stage.at(f"{ALTMARKT}-exit") as lane:
            visit = await lane.car(car.pictures)
            await visit.display()
            orders = await stage.witness.orders(operator_id, session_id)
            tried = [(order.kind, order.status, order.failure_code) for order in orders]
            act.expect("what the acquirer was asked", tried, [("charge", "failed", "declined")])
            await pay_by_qr(stage, act, visit)
        await stage.expect_pushes(act, phone, session_id, TOLD)
