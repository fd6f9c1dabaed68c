"""A network between agent and bridge that fails at the worst moment."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import CloseCode
from websockets.protocol import State

from gate_bridge import fleet, server
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.play import SimulatedLane, play_lane
from gate_bridge.agent.simulation import Motion
from gate_bridge.liveness import NO_PONG
from gate_bridge.options import BridgeOptions
from gate_bridge.turns import TooManyWaitError, Turns
from gate_bridge.wire.limits import WireLimits
from gate_bridge.wire.link import Link
from parking.flows.lane_types import CommandState
from parking.kit.clock import SystemClock
from tests.integration.gate_stage import TOKEN, Stage, eventually, open_stage

CHUNK_BYTES = 65_536
SECONDS_OF_A_RELAY = 0.4


class Network:
    """Carries bytes between an agent and a bridge until it is told otherwise.

    Attributes:
        loses_answers: What the agent says goes nowhere, and the agent does not notice.
    """

    def __init__(self, bridge_port: int) -> None:
        self._bridge_port = bridge_port
        self._writers: set[asyncio.StreamWriter] = set()
        self.loses_answers = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        ends = {writer}
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._bridge_port)
            ends.add(far_writer)
            self._writers |= ends
            await asyncio.gather(
                self._pump(reader, far_writer, from_agent=True),
                self._pump(far_reader, writer, from_agent=False),
            )
        finally:
            self._writers -= ends
            for each in ends:
                each.close()

    def cut(self) -> None:
        """Break every connection, without a word to either end."""
        for writer in self._writers:
            writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_agent: bool
    ) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                if not (from_agent and self.loses_answers):
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def network_of(stage: Stage, motion: Motion) -> AsyncGenerator[tuple[Network, SimulatedLane]]:
    network = Network(stage.bridge.port)
    async with await asyncio.start_server(network.carry, "127.0.0.1", 0) as listener:
        options = AgentOptions(
            url=f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}",
            lane_id=stage.lane.lane_id,
            token=TOKEN,
            reconnect_s_max=0.1,
        )
        journal = stage.folder / "journal.sqlite"
        async with play_lane(options, journal, SystemClock(), stage.reports.append, motion) as lane:
            yield network, lane


async def test_an_answer_that_is_lost_after_the_pulse_opens_once(
    valkey_url: str, tmp_path: Path
) -> None:
    slow = Motion(relay_after_s=SECONDS_OF_A_RELAY, pass_s=30.0)
    async with (
        open_stage(valkey_url, tmp_path) as stage,
        network_of(stage, slow) as (network, lane),
    ):
        await lane.present_car(stage.picture())
        await eventually(lambda: lane.barrier.pulses == 1)
        assert stage.service.answers == {}, "the relay has not confirmed yet"
        network.loses_answers = True
        await eventually(lambda: len(stage.reported("order")) == 1)
        network.cut()
        network.loses_answers = False
        await eventually(lambda: len(stage.service.answers) == 1)
        assert list(stage.service.answers.values()) == [(CommandState.ACCEPTED, None)]
        first, second = stage.reported("order")
        assert first["command_id"] == second["command_id"]
        assert (first["repeated"], second["repeated"]) == (False, True)
        assert lane.barrier.pulses == 1


async def test_events_whose_acknowledgements_are_lost_are_committed_once(
    valkey_url: str, tmp_path: Path
) -> None:
    async with (
        open_stage(valkey_url, tmp_path) as stage,
        network_of(stage, Motion()) as (
            network,
            lane,
        ),
    ):
        await eventually(lambda: len(stage.reported("connected")) == 1)
        for number in range(3):
            await lane.present_car(stage.picture())
            network.cut()
            await lane.wait_free(10)
            network.cut()
            await lane.settled()
            assert lane.barrier.pulses == number + 1
        await eventually(lambda: stage.service.last_seqs[stage.lane.lane_id] == 18)
    numbers = [event[0] for event in stage.service.events]
    assert numbers == list(range(1, 19)), "each once, none left out"


async def test_turns_are_few_at_a_time_and_waiting_has_an_end() -> None:
    turns = Turns(at_once=1, waiting_max=1)
    order: list[str] = []
    release = asyncio.Event()

    async def work(name: str) -> None:
        async with turns.turn():
            order.append(name)
            await release.wait()

    first = asyncio.create_task(work("first"))
    await eventually(lambda: order == ["first"])
    second = asyncio.create_task(work("second"))
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaitError):
        await work("third")
    release.set()
    await asyncio.gather(first, second)
    assert order == ["first", "second"]
    await work("fourth")
    assert order == ["first", "second", "fourth"]


async def test_nobody_waits_for_a_turn_longer_than_it_helps() -> None:
    turns = Turns(at_once=1, waiting_max=1, wait_s_max=0.01)
    async with turns.turn():
        with pytest.raises(TooManyWaitError):
            async with turns.turn():
                pass
    async with turns.turn():
        pass


async def test_a_bridge_that_has_too_many_waiting_asks_to_come_again(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_GREETINGS_WAITING_MAX", 0)
    async with open_stage(valkey_url, tmp_path) as stage:
        with pytest.raises(InvalidStatus) as refused:
            async with stage.connect():
                pass
        assert stage.service.epochs == {}
    answer = refused.value.response
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")


async def test_a_frozen_agent_ends_and_one_that_is_only_silent_stays(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_CLOSE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(fleet, "LOOK_S", 0.05)
    asked: list[Link] = []
    ask = Link.pong

    async def counted(link: Link) -> None:
        await ask(link)
        asked.append(link)

    monkeypatch.setattr(Link, "pong", counted)
    options = BridgeOptions(wire=WireLimits(ping_interval_s=0.2))
    async with open_stage(valkey_url, tmp_path, options) as stage, stage.connect() as agent:
        await agent.hello()
        # It says nothing, and its library answers pings.
        await eventually(lambda: len(asked) >= 2)
        assert agent.socket.state is State.OPEN
        agent.socket.transport.pause_reading()
        await eventually(lambda: ended_by(stage) is not None)
        # It takes part in no farewell either.
        assert ended_by(stage) == CloseCode.ABNORMAL_CLOSURE
        agent.socket.transport.resume_reading()
        assert await agent.closed() == NO_PONG


def ended_by(stage: Stage) -> int | None:
    report = stage.service.health.get(stage.lane.lane_id)
    return None if report is None else report.close_code
