"""A driver without an app: the lane's display shows a QR code, the bill is paid on its page."""

from parking.flows.pay_link import read_pay_token
from sesame.demo.lane import Visit
from sesame.demo.payer import Payer
from sesame.demo.providers import ALIPAY, NAMES
from sesame.demo.scenarios.act import Act
from sesame.demo.scenarios.stage import Stage
from sesame.demo.town import LAKESIDE


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.temporary
    await stage.drive_in(act, LAKESIDE, car)
    await stage.stay(act)
    async with stage.at(f"{LAKESIDE}-exit") as lane:
        visit = await lane.car(car.pictures)
        await pay_by_qr(stage, act, visit, ALIPAY)


async def pay_by_qr(stage: Stage, act: Act, visit: Visit, provider: str) -> None:
    """Pay the bill on a lane's display by its QR code, and drive out."""
    display = await visit.display()
    act.step(f"the display says: {' | '.join(display['lines'])}")
    act.expect("pulses before payment", await visit.pulses(), 0)
    url = str(display["qr"])
    operator_id, session_id = read_pay_token(stage.town.context.vault, url.rpartition("/")[2])
    async with Payer() as payer:
        page = await payer.read(url)
        [bill] = await stage.witness.bills(operator_id, session_id)
        act.expect_that("the page names the amount", holds=bill.total.format() in page)
        offered = ", ".join(NAMES[name] for name in NAMES if f'value="{name}"' in page)
        act.step(f"the driver scans the code; the page offers {offered}")
        act.step(f"the driver chooses {NAMES[provider]} and pays {bill.total.format()} there")
        await payer.pay(url, provider)
    await visit.order()
    await visit.passed()
    act.expect("pulses of the barrier", await visit.pulses(), 1)
    await stage.expect_paid_once(act, operator_id, session_id, kind="checkout", provider=provider)
