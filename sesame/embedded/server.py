"""What PostgreSQL and Valkey have in common: start, wait until ready, stop, kill, restart."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from sesame.embedded.accounts import Account
from sesame.embedded.errors import ServerFailedError
from sesame.embedded.folder import DataFolder
from sesame.embedded.launch import Launch, Leashed, launch
from sesame.embedded.ports import is_free

READY_TIMEOUT_S: Final = 60.0
READY_POLL_S: Final = 0.005
STOP_GRACE_S: Final = 20.0
KILL_WAIT_S: Final = 10.0
START_ATTEMPTS_MAX: Final = 3
RESTARTS_MAX: Final = 20
RESTART_PAUSE_S: Final = 0.1
LOG_END_BYTES: Final = 2000


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a server runs.

    Attributes:
        folder: The installation's folder, locked by this process.
        account: The account of the server; None is the caller's.
        durable: Whether data survives a loss of power and Valkey's data a restart.
    """

    folder: DataFolder
    account: Account | None
    durable: bool


class Server(ABC):
    """One embedded server; used by one thread at a time."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.port = 0
        self._process: Leashed | None = None
        self._log = placement.folder.log(self.name)

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise self._failure("is not running")
        return self._process.pid

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect, password included."""

    def start(self) -> None:
        """Start the server and wait until it answers; a taken port is replaced.

        Raises:
            ServerFailedError: it ended or did not answer in time.
        """
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            self.port = self.placement.folder.port(self.name)
            try:
                self._start_once()
            except ServerFailedError:
                # Only a port that somebody took in between is worth another attempt.
                if attempt == START_ATTEMPTS_MAX or is_free(self.port):
                    raise
            else:
                return

    def stop(self) -> None:
        """End the server in order, by force after the grace. A stopped server stays stopped."""
        if self._process is None:
            return
        self._process.popen.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.popen.kill()
            self._process.wait(KILL_WAIT_S)
        self._process = None

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        if self._process is None:
            return
        self._process.popen.kill()
        self._process.wait(KILL_WAIT_S)
        self._process = None

    def restart(self) -> None:
        """Start a stopped or killed server again on the same port with the same data.

        Raises:
            ServerFailedError: it does not start, not even after the killed one's rest has ended.
        """
        self.stop()
        for attempt in range(1, RESTARTS_MAX + 1):
            try:
                self._start_once()
            except ServerFailedError:
                # PostgreSQL refuses while a child of the killed server still lives.
                if attempt == RESTARTS_MAX:
                    raise
                time.sleep(RESTART_PAUSE_S)
            else:
                return

    def has_crashed(self) -> bool:
        """Say whether the server ended although nobody stopped it."""
        return self._process is not None and not self._process.running()

    @abstractmethod
    def prepare(self) -> None:
        """Bring the data folder into a state that the server can start from."""

    @abstractmethod
    def argv(self) -> list[str]:
        """Return program and arguments; no secret, because every user sees them."""

    @abstractmethod
    def standard_input(self) -> bytes:
        """Return what the program reads first."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return the whole environment of the program."""

    @abstractmethod
    def ready(self) -> bool:
        """Say whether the server takes queries now."""

    def _start_once(self) -> None:
        self.prepare()
        order = Launch(
            argv=self.argv(),
            environment=self.environment(),
            death_signal=self.stop_signal,
            account=self.placement.account,
            kept=(self.placement.folder.lock_descriptor,),
        )
        with self._log.open("ab") as log:
            self._log.chmod(0o600)
            process = launch(order, stdin=subprocess.PIPE, stdout=log)
        self._process = process
        process.feed(self.standard_input())
        self._await_ready(process)

    def _await_ready(self, process: Leashed) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self.ready():
            if not process.running():
                self._process = None
                raise self._failure(f"ended with status {process.popen.returncode}")
            if time.monotonic() > deadline:
                self.kill()
                raise self._failure(f"was not ready after {READY_TIMEOUT_S:.0f} s")
            time.sleep(READY_POLL_S)

    def _failure(self, reason: str) -> ServerFailedError:
        return ServerFailedError(self.name, reason, self._log, _end_of(self._log))


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_END_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
