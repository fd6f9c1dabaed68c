"""Nothing outlives a killed supervisor."""

import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from sesame.embedded.stack import Stack
from tests.integration.embedded.starters import REPOSITORY, Starter, interpreter_of
from tests.processes import wait_until_gone
from tests.servers import execute, fetch_value

HOLD_CHILD: Final = """
import signal, sys
from sesame.embedded.accounts import service_account
from sesame.embedded.launch import Launch, launch
order = Launch(["/bin/sleep", "600"], {}, signal.SIGTERM, service_account(),
    watcher=sys.argv[1] == "watcher")
print(launch(order, stdin=None, stdout=sys.stderr.fileno()).pid, flush=True)
sys.stdin.read()
"""


async def test_a_killed_supervisor_leaves_no_server_and_its_data_is_whole(root: Path) -> None:
    with Starter(root, "durable") as starter:
        report = starter.report()
        await execute(report["database_url"], "CREATE TABLE kept AS SELECT 7 AS number")
        starter.kill()
        # At once, while the servers may still be ending: the new stack waits for them.
        with Stack(root, settings={}) as stack:
            assert wait_until_gone(report["pids"]) == []
            assert stack.endpoints.database_url == report["database_url"]
            assert await fetch_value(report["database_url"], "SELECT number FROM kept") == 7


def test_a_stopped_supervisor_leaves_no_server(root: Path) -> None:
    with Starter(root, "memory") as starter:
        report = starter.report()
        assert starter.finish() == 0
        assert wait_until_gone(report["pids"]) == []


def test_a_second_process_is_told_who_uses_the_folder(root: Path) -> None:
    with Starter(root, "memory") as first:
        first.report()
        with Starter(root, "memory") as second:
            refusal = second.report()
        assert refusal["error"] == "FolderBusyError"
        assert f"{root} is in use by process {first.pid}:" in refusal["text"]


@pytest.mark.usefixtures("as_root")
def test_root_starts_servers_as_an_unprivileged_account(root: Path) -> None:
    with Starter(root, "memory") as starter:
        owners = starter.report()["owners"]
    expected = [uid for uid in (_uid("postgres"), _uid("nobody")) if uid is not None][:1]
    assert owners in (expected, [])


@pytest.mark.usefixtures("as_root")
def test_another_user_starts_servers_of_its_own_and_they_die_with_it(root: Path) -> None:
    user = pwd.getpwnam("nobody")
    interpreter = interpreter_of(user)
    if interpreter is None:
        pytest.skip("this user can reach no interpreter or not this checkout")
    root.chmod(0o711)
    home = root / "home"
    home.mkdir(mode=0o700)
    os.chown(home, user.pw_uid, user.pw_gid)
    with Starter(home / "data", "durable", user, interpreter) as starter:
        report = starter.report()
        assert report["owners"] in ([user.pw_uid], [])
        starter.kill()
        assert wait_until_gone(report["pids"]) == []


@pytest.mark.parametrize("guard", ["watcher", "kernel"])
def test_a_program_ends_with_the_process_that_started_it(guard: str) -> None:
    if guard == "kernel" and sys.platform != "linux":
        pytest.skip("only Linux signals a death")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_CHILD, guard],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    assert wait_until_gone([pid]) == []


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
