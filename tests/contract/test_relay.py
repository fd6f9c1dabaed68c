"""What every relay promises: one pulse for a permit, and none without it."""

from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.machines import device_http, http_relay, modbus, shelly
from gate_bridge.agent.machines.relay import Permit
from tests.contract.relay_stages import RelayStage, open_stage

KINDS = ("fake", "shelly", "hikvision", "dahua", "modbus")


@pytest.fixture(params=KINDS)
async def stage(request: pytest.FixtureRequest) -> AsyncGenerator[RelayStage]:
    async with open_stage(request.param) as stage:
        yield stage


class Right:
    """A permit's clock and objection in the test's hand."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.reason: str | None = None
        self.permit = Permit(UUID(int=1), 104.0, lambda: self.now_s, lambda: self.reason)

    def run_out(self) -> None:
        self.now_s = 104.0

    def object(self) -> None:
        self.reason = "no car stands on the loop"


@pytest.fixture
def right() -> Right:
    return Right()


async def test_a_permit_is_one_pulse(stage: RelayStage, right: Right) -> None:
    await stage.relay.pulse(right.permit)
    assert stage.pulses() == 1


async def test_a_permit_that_ran_out_is_none(stage: RelayStage, right: Right) -> None:
    right.run_out()
    with pytest.raises(BarrierError, match="ran out"):
        await stage.relay.pulse(right.permit)
    assert stage.pulses() == 0


async def test_a_permit_that_runs_out_on_the_way_is_none(stage: RelayStage, right: Right) -> None:
    stage.while_probed(right.run_out)
    with pytest.raises(BarrierError, match="ran out") as raised:
        await stage.relay.pulse(right.permit)
    assert not isinstance(raised.value, PulseUnknownError)
    assert stage.pulses() == 0


async def test_a_car_that_leaves_on_the_way_is_not_pulsed_for(
    stage: RelayStage, right: Right
) -> None:
    stage.while_probed(right.object)
    with pytest.raises(BarrierError, match="no car") as raised:
        await stage.relay.pulse(right.permit)
    assert not isinstance(raised.value, PulseUnknownError)
    assert stage.pulses() == 0


async def test_a_lost_answer_is_never_answered_by_a_second_pulse(
    stage: RelayStage, right: Right, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (http_relay, shelly):
        monkeypatch.setattr(module, "PULSE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(modbus, "ANSWER_TIMEOUT_S", 0.1)
    monkeypatch.setattr(device_http, "PROBE_TIMEOUT_S", 0.1)
    stage.lose_answer()
    if stage.can_read_back:
        await stage.relay.pulse(right.permit)
    else:
        with pytest.raises(PulseUnknownError):
            await stage.relay.pulse(right.permit)
    assert stage.pulses() == 1
