"""Start, watch, restart and stop child processes that cannot outlive this one."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from parking.kit.errors import ParkingError
from sesame.embedded.launch import Launch, Leashed, launch
from sesame.log_follower import LogFollower
from sesame.process_spec import ProcessSpec, shows_ready

POLL_S: Final = 0.05
READY_TIMEOUT_S: Final = 60.0
STOP_GRACE_S: Final = 10.0
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
# A child that ran this long has recovered: its earlier crashes no longer count.
STEADY_S: Final = 30.0
CRASHES_MAX: Final = 10
LOG_END_LINES: Final = 20

Echo = Callable[[str, str], None]


class ProcessFailedError(ParkingError):
    """A child did not start, or crashed too often; the end of its log says why."""

    code: ClassVar[str] = "PROCESS_FAILED"

    def __init__(self, name: str, reason: str, log: Path) -> None:
        super().__init__(f"{name} {reason}; the end of {log}:\n{_end_of(log)}")
        self.name = name
        self.reason = reason
        self.log = log


class ProcessDownError(ParkingError):
    """The child does not run at this moment."""

    code: ClassVar[str] = "PROCESS_DOWN"
    retryable: ClassVar[bool] = True

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} does not run at this moment")
        self.name = name


class Supervisor:
    """Keeps named children running until it is closed; used within one event loop."""

    def __init__(self, logs: Path, echo: Echo | None = None) -> None:
        """Prepare; nothing starts yet.

        Args:
            logs: Folder of the log files, one for each child.
            echo: Called with a child's name and each line that it prints.
        """
        self._logs = logs
        self._echo = echo
        self._children: dict[str, _Child] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self, spec: ProcessSpec) -> None:
        """Start a child and wait until it is ready.

        Raises:
            ProcessFailedError: it ended before it was ready; it is not tried again.
        """
        if spec.name in self._children:
            raise ValueError(f"a child named {spec.name} exists already")
        child = _Child(spec, self._logs / f"{spec.name}.log", self._echo)
        self._children[spec.name] = child
        child.begin()
        await child.wait_ready()

    async def wait_ready(self, name: str) -> None:
        """Wait until the child is ready, for instance again after `kill`.

        Raises:
            ProcessFailedError: it was given up.
        """
        await self._children[name].wait_ready()

    async def wait_failure(self) -> None:
        """Wait until a child is given up.

        Raises:
            ProcessFailedError: always, with the child that was given up.
        """
        watchers = [child.watcher for child in self._children.values()]
        done, _ = await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
        for watcher in done:
            watcher.result()

    def pid(self, name: str) -> int:
        """Return the child's process id.

        Raises:
            ProcessDownError: it has crashed and is not yet started again.
        """
        return self._children[name].running().pid

    def send(self, name: str, number: signal.Signals) -> None:
        """Send the child a signal, for instance SIGSTOP to freeze it.

        Raises:
            ProcessDownError: it has crashed and is not yet started again.
        """
        self._children[name].running().popen.send_signal(number)

    def kill(self, name: str) -> None:
        """End the child at once; it is started again like after any crash.

        Raises:
            ProcessDownError: it has crashed and is not yet started again.
        """
        self._children[name].kill()

    async def stop(self, name: str) -> None:
        """End one child for good: SIGTERM, after the grace SIGKILL."""
        await self._children.pop(name).end()

    async def close(self) -> None:
        """End all children for good, all at the same time."""
        children = [self._children.pop(name) for name in reversed(list(self._children))]
        await asyncio.gather(*(child.end() for child in children))


class _Child:
    """One child and the task that keeps it running."""

    watcher: asyncio.Task[None]

    def __init__(self, spec: ProcessSpec, log: Path, echo: Echo | None) -> None:
        self._spec = spec
        self._log = log
        self._echo = echo
        self._ready = asyncio.Event()
        self._has_been_ready = False
        self._process: Leashed | None = None
        self._killed_id = 0

    def begin(self) -> None:
        self.watcher = asyncio.create_task(self._keep_running(), name=self._spec.name)

    def running(self) -> Leashed:
        if self._process is None or not self._process.running():
            raise ProcessDownError(self._spec.name)
        return self._process

    def kill(self) -> None:
        process = self.running()
        # A check under way may still say yes: it must not count for the killed process.
        self._killed_id = process.pid
        self._ready.clear()
        process.popen.kill()

    async def wait_ready(self) -> None:
        event = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({event, self.watcher}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            event.cancel()
        if self.watcher.done():
            self.watcher.result()

    async def end(self) -> None:
        self.watcher.cancel()
        await asyncio.wait({self.watcher})
        if not self.watcher.cancelled():
            # Asked for here, or asyncio complains about a failure that nobody looked at.
            self.watcher.exception()
        if self._process is None or not self._process.running():
            return
        self._process.popen.terminate()
        # A frozen child handles nothing before it goes on.
        self._process.popen.send_signal(signal.SIGCONT)
        clock = asyncio.get_running_loop().time
        deadline = clock() + STOP_GRACE_S
        while self._process.running():
            if clock() > deadline:
                self._process.popen.kill()
            await asyncio.sleep(POLL_S)

    async def _keep_running(self) -> None:
        clock = asyncio.get_running_loop().time
        crashes = 0
        while True:
            started_at_s = clock()
            status = await self._run_once()
            if not self._has_been_ready:
                raise ProcessFailedError(
                    self._spec.name, f"ended before it was ready (status {status})", self._log
                )
            crashes = 1 if clock() - started_at_s > STEADY_S else crashes + 1
            if crashes > CRASHES_MAX:
                raise ProcessFailedError(
                    self._spec.name, f"crashed {crashes} times (status {status})", self._log
                )
            await asyncio.sleep(min(BACKOFF_FIRST_S * 2 ** (crashes - 1), BACKOFF_MAX_S))

    async def _run_once(self) -> int:
        clock = asyncio.get_running_loop().time
        follower = LogFollower(self._log)
        process = self._launch()
        deadline = clock() + READY_TIMEOUT_S
        while process.running():
            await self._check(process, self._follow(follower))
            if not self._ready.is_set() and clock() > deadline:
                process.popen.kill()
            await asyncio.sleep(POLL_S)
        self._ready.clear()
        self._follow(follower)
        return process.popen.returncode

    def _launch(self) -> Leashed:
        order = Launch(
            argv=self._spec.argv,
            environment=self._spec.environment,
            # Not SIGTERM: with the supervisor gone nobody would force an unwilling child.
            death_signal=signal.SIGKILL,
            folder=self._spec.folder or Path.cwd(),
        )
        with self._log.open("ab") as log:
            self._log.chmod(0o600)
            self._process = launch(order, stdin=None, stdout=log)
        return self._process

    async def _check(self, process: Leashed, lines: list[str]) -> None:
        if self._ready.is_set() or process.pid == self._killed_id:
            return
        is_ready = await shows_ready(self._spec.ready, lines)
        if is_ready and process.pid != self._killed_id and process.running():
            self._ready.set()
            self._has_been_ready = True

    def _follow(self, follower: LogFollower) -> list[str]:
        lines = follower.read()
        if self._echo is not None:
            for line in lines:
                self._echo(self._spec.name, line)
        return lines


def _end_of(log: Path) -> str:
    if not log.exists():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_END_LINES:])
