"""Turn into another program that ends when the process that started it ends.

Executed as a script with nothing but the standard library, because it runs between the fork
and the real program, as root or as the service account:

    leash.py PARENT SIGNAL PIPE USER GROUP FOLDER -- PROGRAM ARGUMENT...

PARENT is the process id of the starter. With PIPE < 0 the Linux kernel sends SIGNAL to the program
when the starting thread ends. Otherwise PIPE is the read end of a pipe whose write end only the
starter holds: a watching child of the program sends SIGNAL when the pipe closes. USER and GROUP
below zero leave the account as it is. The process id does not change.
"""

import ctypes
import os
import select
import signal
import sys
import time
from typing import Final

PR_SET_PDEATHSIG: Final = 1
DESCRIPTORS_MAX: Final = 4096
WATCH_INTERVAL_S: Final = 1.0
GRACE_S: Final = 10.0
PRIVATE_UMASK: Final = 0o077


def drop(user_id: int, group_id: int) -> None:
    """Leave root's account for good."""
    if user_id < 0:
        return
    os.setgroups([])
    os.setgid(group_id)
    os.setuid(user_id)


def ask_kernel(parent_id: int, death_signal: int) -> None:
    """Have the kernel signal this process when the starting thread ends.

    After the change of account, because that clears the wish; an exec keeps it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The starter may have ended before the wish was known: then nobody would ever send it.
    if os.getppid() != parent_id:
        sys.exit(f"the starter {parent_id} has already ended")


def watch(pipe: int, program_id: int, death_signal: int) -> None:
    """Wait until the pipe closes, then end the program, by force after the grace."""
    while os.getppid() == program_id:
        if select.select([pipe], [], [], WATCH_INTERVAL_S)[0]:
            break
    deadline = time.monotonic() + GRACE_S
    chosen = death_signal
    while os.getppid() == program_id:
        os.kill(program_id, chosen)
        if time.monotonic() > deadline:
            chosen = signal.SIGKILL
        time.sleep(WATCH_INTERVAL_S / 10)


def start_watcher(pipe: int, death_signal: int) -> None:
    """Fork the watching child; it keeps nothing of the program but the pipe."""
    program_id = os.getpid()
    if os.fork() != 0:
        os.close(pipe)
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    # An inherited log pipe or lock would otherwise outlive the program by the watcher's interval.
    os.closerange(3, pipe)
    os.closerange(pipe + 1, DESCRIPTORS_MAX)
    watch(pipe, program_id, death_signal)
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Read the arguments, put the leash on and become the program."""
    head, argv = arguments[:6], arguments[7:]
    parent_id, death_signal, pipe, user_id, group_id = (int(number) for number in head[:5])
    drop(user_id, group_id)
    os.umask(PRIVATE_UMASK)
    os.chdir(head[5])
    # The interpreter ignores it, and an exec would pass that on.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if pipe < 0:
        ask_kernel(parent_id, death_signal)
    else:
        start_watcher(pipe, death_signal)
    os.execvpe(argv[0], argv, os.environ)  # noqa: S606 - becoming the program is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
