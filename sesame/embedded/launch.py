"""Start programs that cannot outlive this process, not even when it is killed."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from sesame.embedded import leash
from sesame.embedded.accounts import Account

# The kernel's death signal belongs to the thread that forked. One thread that lives as long as the
# process starts everything, so that a finished worker thread takes no server with it.
_launcher: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")
LAUNCH_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Launch:
    """A program to start.

    Attributes:
        argv: Program and arguments.
        environment: The whole environment of the program.
        death_signal: What the program gets when this process ends without stopping it.
        account: The account it runs as; None is the caller's.
        folder: Its working folder.
        kept: File descriptors that it inherits.
        watcher: Whether a watching process replaces the kernel's death signal.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    death_signal: signal.Signals
    account: Account | None = None
    folder: Path = Path("/")
    kept: tuple[int, ...] = ()
    watcher: bool = sys.platform != "linux"


class Leashed:
    """A started program and, where a watcher guards it, the pipe that keeps the watcher quiet."""

    def __init__(self, popen: subprocess.Popen[bytes], held_pipe: int | None) -> None:
        self.popen = popen
        self._held_pipe = held_pipe

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self.popen.pid

    def running(self) -> bool:
        """Say whether the program has not ended yet."""
        alive = self.popen.poll() is None
        if not alive:
            self._release()
        return alive

    def wait(self, timeout_s: float) -> int:
        """Wait for the end and return the exit status, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: it still runs after the time.
        """
        status = self.popen.wait(timeout_s)
        self._release()
        return status

    def feed(self, text: bytes) -> None:
        """Write the program's whole input and close it; a program that has ended reads nothing."""
        if self.popen.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self.popen.stdin as stdin:
                stdin.write(text)

    def _release(self) -> None:
        if self._held_pipe is not None:
            os.close(self._held_pipe)
            self._held_pipe = None


def launch(order: Launch, *, stdin: int | None, stdout: int | IO[bytes]) -> Leashed:
    """Start a program in a session of its own; its errors go where its output goes."""
    return _launcher.submit(_start, order, stdin, stdout).result(LAUNCH_TIMEOUT_S)


def _start(order: Launch, stdin: int | None, stdout: int | IO[bytes]) -> Leashed:
    watched, held = os.pipe() if order.watcher else (-1, None)
    account = order.account
    head = (os.getpid(), int(order.death_signal), watched)
    owner = (account.user_id, account.group_id) if account else (-1, -1)
    shim = [sys.executable, "-I", "-S", leash.__file__]
    try:
        popen = subprocess.Popen(  # noqa: S603 - the argv is built here, never by a user
            [*shim, *map(str, (*head, *owner, order.folder)), "--", *order.argv],
            env=dict(order.environment),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            # A Ctrl-C at the terminal is for the supervisor, which stops its children in order.
            start_new_session=True,
            pass_fds=(*order.kept, *((watched,) if order.watcher else ())),
        )
    except BaseException:
        if held is not None:
            os.close(held)
        raise
    finally:
        if order.watcher:
            os.close(watched)
    return Leashed(popen, held)
