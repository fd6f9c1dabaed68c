"""The whole demo from the start of the servers to the report."""

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parking.flows.fleet.reading import Fleet, read_fleet
from sesame.demo.cars import choose_cast
from sesame.demo.director import Outcome, Round, play_round
from sesame.demo.feed import Feed
from sesame.demo.graphql_client import Json
from sesame.demo.installation import DemoInstallation, Listeners
from sesame.demo.providers import NAMES
from sesame.demo.report import DemoReport, facts_line
from sesame.demo.scenarios import SCENARIOS, Stage
from sesame.demo.watch import Watch
from sesame.demo.witness import Witness

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SERVER_CHECK_INTERVAL_S: Final = 1.0
PAUSE_S: Final = 5.0
RENDERED: Final = "rendered by the project"


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """What to show; `photos` is None for the project's own pictures."""

    data: Path
    once: bool
    photos: Path | None


class Show:
    """One run of the demo.

    Args:
        options: What to show.
        feed: Told everything that the terminal shows.
        say: Called with a line about each step.
    """

    def __init__(self, options: ShowOptions, feed: Feed, say: Callable[[str], None]) -> None:
        self._options = options
        self._feed = feed
        self._say = say
        self._began_s = time.monotonic()
        self._setup_s = 0.0
        self._rounds: list[Round] = []
        self._fleet: Fleet | None = None

    async def run(self) -> DemoReport | None:
        """Play until it is over or a signal comes; None if no round was finished.

        Raises:
            ParkingError: a server or a process does not run, or there are no pictures.
        """
        stop = asyncio.Event()
        for number in STOP_SIGNALS:
            # `nohup` has SIGHUP ignored: that stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await _first_of(stop.wait(), self._perform())
        if not self._rounds or self._fleet is None:
            return None
        photos = self._options.photos
        return DemoReport(
            data=str(self._options.data),
            pictures=RENDERED if photos is None else str(photos),
            urls=self._feed.urls,
            setup_s=self._setup_s,
            rounds=len(self._rounds),
            last=self._rounds[-1],
            fleet=self._fleet,
        )

    async def _perform(self) -> None:
        with tempfile.TemporaryDirectory(prefix="sesame-") as workshop:
            self._step("looking at the pictures")
            choosing = asyncio.create_task(
                asyncio.to_thread(choose_cast, self._options.photos, Path(workshop))
            )
            if self._options.photos is not None:
                # Somebody's photographs may be refused, and then nothing needs to start.
                await choosing
            async with DemoInstallation(
                self._options.data,
                providers=tuple(NAMES),
                has_site=True,
                listeners=Listeners(
                    on_line=self._feed.on_line,
                    on_report=self._feed.on_report,
                    on_child=self._feed.processes.__setitem__,
                    on_step=lambda what: self._step(f"starting {what}"),
                ),
            ) as town:
                witness = Witness(town.context, town.desks, town.pushes, town.town.operator_ids)
                stage = Stage(town, await choosing, witness, self._on_update)
                try:
                    await _first_of(
                        self._play(stage),
                        town.supervisor.wait_failure(),
                        _keep_servers(town),
                        Watch(town, witness, self._feed).run(),
                    )
                finally:
                    self._step("stopping everything")

    async def _play(self, stage: Stage) -> None:
        town = stage.town
        self._feed.urls = {"API": town.api_url, "gates": town.gates_url, "lanes": town.sockets}
        self._feed.lane_keys = {str(lane.lane_id)[-4:]: lane.key for lane in town.town.lanes}
        self._setup_s = round(time.monotonic() - self._began_s, 2)
        while True:
            self._step(f"round {len(self._rounds) + 1}: {len(SCENARIOS)} scenarios at once")
            played = await play_round(stage, self._on_step, self._on_outcome)
            self._fleet = await read_fleet(town.context)
            self._rounds.append(played)
            if self._options.once:
                return
            self._step("a moment until the next round; drive in yourself if you like")
            await asyncio.sleep(PAUSE_S)
            await town.pushes.forget()

    def _step(self, what: str) -> None:
        self._feed.headline = what
        self._tell("demo", what)

    def _on_step(self, name: str, step: str) -> None:
        self._feed.on_step(name, step)
        self._tell(name, step)

    def _on_outcome(self, outcome: Outcome) -> None:
        self._feed.on_outcome(outcome)
        verdict = "passed" if outcome.passed else "FAILED"
        self._tell(outcome.name, f"{verdict}: {facts_line(outcome)}")

    def _on_update(self, plate: str, update: Json) -> None:
        self._feed.on_update(plate, update)
        if update["reason"] == "TICK":
            self._tell("phone", f"{plate} owes {self._feed.ticks[plate].format()} now")

    def _tell(self, who: str, what: str) -> None:
        self._say(f"{time.monotonic() - self._began_s:6.1f} s  {who:<17} {what}")


async def _first_of(*works: Coroutine[Any, Any, Any]) -> None:
    """Run all until the first ends, and end the others; raises what the first one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _keep_servers(town: DemoInstallation) -> None:
    while True:
        await asyncio.sleep(SERVER_CHECK_INTERVAL_S)
        await asyncio.to_thread(town.stack.revive)
