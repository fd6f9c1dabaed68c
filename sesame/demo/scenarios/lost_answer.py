"""An answer that is lost after the money moved: asked about, found, and never charged twice."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sesame.demo.providers import ETC
from sesame.demo.scenarios.act import Act
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.town import LAKESIDE

# Nothing listens there.
NOWHERE: Final = "http://127.0.0.1:9/"
# The worker asks more and more rarely.
GATE_TIMEOUT_S: Final = 60.0


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.lost_answer
    operator_id = stage.town.town.place(LAKESIDE).operator_id
    async with stage.town.phone(car.plate) as phone:
        await stage.bind(act, phone, car, (ETC,))
        await stage.drive_in(act, LAKESIDE, car)
        session_id = session_uuid(await phone.active_session(car.plate))
        await stage.stay(act)
        desk = stage.town.desks[ETC]
        async with _line_is_cut(stage, act), stage.at(f"{LAKESIDE}-exit") as lane:
            visit = await lane.car(car.pictures)
            display = await visit.display()
            act.step(
                f"nobody knows whether it is paid, the gate stays shut: {display['lines'][-1]}"
            )
            act.expect("pulses while nobody knows", await visit.pulses(), 0)
            act.step("the line is back; the worker asks again, under the same number")
            await desk.play(clear=True)
            await visit.order(timeout_s=GATE_TIMEOUT_S)
            act.step("it is paid, and the gate opens")
            await visit.passed()
            act.expect("pulses of the barrier", await visit.pulses(), 1)
        await stage.expect_paid_once(act, operator_id, session_id, kind="charge", provider=ETC)
        asked = await stage.witness.queries(operator_id, session_id)
        act.expect_that("the worker asked about the one number", holds=asked > 0)
        act.facts["asked_again"] = f"{asked} times"


@asynccontextmanager
async def _line_is_cut(stage: Stage, act: Act) -> AsyncGenerator[None]:
    """Lose the answer to the next charge, every question, and for all the block the notices."""
    desk = stage.town.desks[ETC]
    act.step("the line to the ETC acquirer breaks once it has taken the money")
    await desk.play(notice_url=NOWHERE)
    await desk.play(scenario="lose_answer_after")
    await desk.play(scenario="lose_answer_before", operation="query", matching="always")
    try:
        yield
    finally:
        await desk.play(notice_url=f"{stage.town.api_url}/callbacks/{ETC}")
