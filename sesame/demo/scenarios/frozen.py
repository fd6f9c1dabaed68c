"""A gate that freezes while "open" is on its way: the late order is refused, a fresh one opens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from parking.flows.release import OPEN_TTL_MS
from sesame.demo.scenarios.act import Act, ScenarioFailedError
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.town import ALTMARKT

# How long the acquirer takes: time to freeze the gate before the order to open is given.
CHARGE_DELAY_MS: Final = 1500
# The order is this old when the gate wakes up: older than it may be.
FROZEN_S: Final = (CHARGE_DELAY_MS + OPEN_TTL_MS) / 1000 + 1.0
CHARGE_LOOKS_MAX: Final = 300
LOOK_S: Final = 0.02
FRESH_TIMEOUT_S: Final = 20.0
EXIT: Final = f"{ALTMARKT}-exit"


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.frozen
    operator_id = stage.town.town.place(ALTMARKT).operator_id
    async with stage.town.phone(car.plate) as phone:
        agreement = await stage.agreement(await stage.bind(act, phone, car))
        await stage.drive_in(act, ALTMARKT, car)
        session_id = session_uuid(await phone.active_session(car.plate))
        await stage.stay(act)
        async with stage.at(EXIT) as lane:
            await stage.town.desk.play(
                scenario="delay",
                matching="agreement",
                agreement=agreement,
                delay_ms=CHARGE_DELAY_MS,
            )
            visit = await lane.car(car.pictures)
            await _charge_begins(stage, operator_id, session_id)
            async with _frozen(stage, act):
                await asyncio.sleep(FROZEN_S)
            act.step("the gate is awake; it refuses the order that came too late")
            refused = await visit.order(status="rejected")
            act.facts["refused"] = str(refused["reason"])
            await visit.order(timeout_s=FRESH_TIMEOUT_S)
            act.step("a fresh order opens it")
            await visit.passed()
            act.expect("pulses of the barrier", await visit.pulses(), 1)
        await stage.expect_paid_once(act, operator_id, session_id, kind="charge")


async def _charge_begins(stage: Stage, operator_id: UUID, session_id: UUID) -> None:
    for _ in range(CHARGE_LOOKS_MAX):
        if await stage.witness.orders(operator_id, session_id):
            return
        await asyncio.sleep(LOOK_S)
    raise ScenarioFailedError("orders at the acquirer", 0, 1)


@asynccontextmanager
async def _frozen(stage: Stage, act: Act) -> AsyncGenerator[None]:
    """Freeze the gate's process for the length of the block."""
    act.step("the gate freezes while the order to open is on its way")
    stage.town.freeze(EXIT)
    try:
        yield
    finally:
        stage.town.thaw(EXIT)
