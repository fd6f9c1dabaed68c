"""A payment that is declined: the gate stays shut until the bill is paid by QR.

Later the payer's bank takes that money back, and decides for the operator in the end.
"""

from typing import Final

from sesame.demo import documents
from sesame.demo.graphql_client import money
from sesame.demo.phone import Phone
from sesame.demo.providers import CARD
from sesame.demo.scenarios.act import Act, eventually
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.scenarios.temporary import pay_by_qr
from sesame.demo.town import LAKESIDE

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
    operator_id = stage.town.town.place(LAKESIDE).operator_id
    async with stage.town.phone(car.plate) as phone:
        agreement = await stage.agreement(await stage.bind(act, phone, car))
        await stage.drive_in(act, LAKESIDE, car)
        session = await phone.active_session(car.plate)
        session_id = session_uuid(session)
        await stage.stay(act)
        act.step("the acquirer will decline")
        await stage.town.desk.play(scenario="decline", matching="agreement", agreement=agreement)

        async with stage.at(f"{LAKESIDE}-exit") as lane:
            visit = await lane.car(car.pictures)
            await visit.display()
            orders = await stage.witness.orders(operator_id, session_id)
            tried = [(order.kind, order.status, order.failure_code) for order in orders]
            act.expect("what the acquirer was asked", tried, [("charge", "failed", "declined")])
            await pay_by_qr(stage, act, visit, CARD)
        await stage.expect_pushes(act, phone, session_id, TOLD)
        orders = await stage.witness.orders(operator_id, session_id)
        [paid] = [order for order in orders if order.provider == CARD]
        await _charge_back(stage, act, phone, session["id"], paid.number)


async def _charge_back(stage: Stage, act: Act, phone: Phone, session_id: str, number: str) -> None:
    """Let the card's bank take the money back, and give it to the operator in the end."""
    desk = stage.town.desks[CARD]
    act.step("weeks later: the card's holder disputes the payment, the bank takes it back")
    await desk.play(chargeback={"number": number})
    owed = await eventually("the bill, owed again", lambda: phone.owed(session_id))
    async with stage.town.staff(stage.town.town.place(LAKESIDE).operator_id) as staff:
        opened = (await staff.run(documents.CHARGEBACKS, status="OPENED"))["nodes"]
    act.expect("chargebacks on the staff's list", [one["provider"] for one in opened], [CARD])
    act.step("the bank looks at the receipt and decides for the operator")
    await desk.play(chargeback={"number": number, "decision": "won"})
    await eventually("a bill that is paid again", lambda: phone.owes_nothing(session_id))
    act.facts["taken_back_and_won"] = money(owed["amount"]).format()
