"""An agent as a process of its own, to freeze and to kill."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gate_bridge.agent.play import street_path
from gate_bridge.agent.world import count_pulses
from tests.integration.gate_stage import PICTURE, TOKEN, Stage

SCRIPT = """
import asyncio, json, sys
from pathlib import Path
from uuid import UUID
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.runner import STDIN, Play, run_play
from gate_bridge.agent.simulation import Motion
from parking.kit.clock import SystemClock
url, lane, token, journal, motion = sys.argv[1:]
options = AgentOptions(url=url, lane_id=UUID(lane), token=token, reconnect_s_max=0.2)
play = Play(control=STDIN, motion=Motion(**json.loads(motion)))
def report(record): print(json.dumps(record), flush=True)
asyncio.run(run_play(options, Path(journal), SystemClock(), play, report, asyncio.Event()))
"""


@dataclass
class AgentProcess:
    """A running agent."""

    process: Process
    journal: Path
    reports: list[dict[str, object]] = field(default_factory=list[dict[str, object]])

    @property
    def pulses(self) -> int:
        return count_pulses(street_path(self.journal))

    def car(self, picture: Path) -> None:
        picture.write_bytes(PICTURE)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"car": [str(picture)]}).encode() + b"\n")

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.reports.append(json.loads(line))

    def reported(self, event: str) -> list[dict[str, object]]:
        return [report for report in self.reports if report["event"] == event]


@asynccontextmanager
async def run_agent(stage: Stage, **motion: float) -> AsyncGenerator[AgentProcess]:
    """Run an agent on the stage's lane; a second one goes on with the first one's journal."""
    journal = stage.folder / "journal.sqlite"
    arguments = (stage.url, str(stage.lane.lane_id), TOKEN, str(journal), json.dumps(motion))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, *arguments, stdin=PIPE, stdout=PIPE
    )
    agent = AgentProcess(process, journal)
    reading = asyncio.create_task(agent.read())
    try:
        yield agent
    finally:
        await agent.kill()
        await reading
