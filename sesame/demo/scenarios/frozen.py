"""A gate that freezes while "open" is on its way: the late order is refused, a fresh one opens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.flows.release import OPEN_TTL_MS
from sesame.demo.scenarios.act import Act, ScenarioFailedError
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.town import ALTMARKT

# Longer than the other car of this place stays: it would have to wait behind the frozen gate.
STAY_S: Final = 2.2
# How long the acquirer takes: time to freeze the gate before the order to open is given.
CHARGE_DELAY_MS: Final = 1000
# The order is this old when the gate wakes up: older than it may be.
ORDER_AGE: Final = timedelta(milliseconds=OPEN_TTL_MS + 500)
LOOKS_MAX: Final = 1000
LOOK_S: Final = 0.02
# The acquirer's notice and its late answer both lead to the order; the second one renews its time.
STEADY_LOOKS: Final = 75
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
        await stage.stay(act, STAY_S)
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
                given_at = await _order_given(stage, operator_id, UUID(visit.presentation_id))
                left = given_at + ORDER_AGE - stage.town.context.clock.now()
                await asyncio.sleep(max(0.0, left.total_seconds()))
            act.step("the gate is awake; it refuses the order that came too late")
            refused = await visit.order(status="rejected")
            act.facts["refused"] = str(refused["reason"])
            await visit.order(timeout_s=FRESH_TIMEOUT_S)
            act.step("a fresh order opens it")
            await visit.passed()
            act.expect("pulses of the barrier", await visit.pulses(), 1)
        await stage.expect_paid_once(act, operator_id, session_id, kind="charge")


async def _charge_begins(stage: Stage, operator_id: UUID, session_id: UUID) -> None:
    for _ in range(LOOKS_MAX):
        if await stage.witness.orders(operator_id, session_id):
            return
        await asyncio.sleep(LOOK_S)
    raise ScenarioFailedError("orders at the acquirer", 0, 1)


async def _order_given(stage: Stage, operator_id: UUID, presentation_id: UUID) -> datetime:
    """Return when the order to open was given, once its time is no more renewed."""
    last: datetime | None = None
    steady_looks = 0
    for _ in range(LOOKS_MAX):
        given_at = await stage.witness.order_given_at(operator_id, presentation_id)
        steady_looks = steady_looks + 1 if given_at == last else 0
        last = given_at
        if last is not None and steady_looks >= STEADY_LOOKS:
            return last
        await asyncio.sleep(LOOK_S)
    raise ScenarioFailedError("orders to open", 0, 1)


@asynccontextmanager
async def _frozen(stage: Stage, act: Act) -> AsyncGenerator[None]:
    """Freeze the gate's process for the length of the block."""
    act.step("the gate freezes while the order to open is on its way")
    stage.town.freeze(EXIT)
    try:
        yield
    finally:
        stage.town.thaw(EXIT)
