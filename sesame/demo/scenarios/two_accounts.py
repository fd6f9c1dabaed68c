"""A driver with two accounts: the first declines, the next is charged while the car waits."""

from sesame.demo.providers import ALIPAY, WECHAT
from sesame.demo.scenarios.act import Act
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.town import LAKESIDE


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.two_accounts
    operator_id = stage.town.town.place(LAKESIDE).operator_id
    async with stage.town.phone(car.plate) as phone:
        mandate = await stage.bind(act, phone, car, (ALIPAY, WECHAT))
        await stage.drive_in(act, LAKESIDE, car)
        session_id = session_uuid(await phone.active_session(car.plate))
        await stage.stay(act)
        act.step("Alipay will say that the balance is not enough; WeChat Pay comes next")
        agreement = await stage.agreement(mandate, ALIPAY)
        await stage.town.desks[ALIPAY].play(
            scenario="decline", matching="agreement", agreement=agreement
        )
        await stage.drive_out(act, LAKESIDE, car.pictures)

        paid = await stage.expect_paid_once(
            act, operator_id, session_id, kind="charge", provider=WECHAT
        )
        tries = await stage.witness.tries(operator_id, session_id)
        expected = [(ALIPAY, "failed", paid), (WECHAT, "succeeded", paid)]
        act.expect("what was tried, in this order", tries, expected)
        act.facts["declined"] = "by Alipay"
