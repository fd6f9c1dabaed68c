"""Processes that start a stack, for tests that kill them or run them as somebody else."""

import json
import os
import select
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from pwd import struct_passwd
from typing import Any, Final, Literal, Self

from tests.processes import wait_until_gone

REPOSITORY: Final = Path(__file__).parents[3]
WAIT_S: Final = 20.0
SYSTEM_INTERPRETERS: Final = tuple(
    f"/usr/bin/python3{minor}" for minor in ("", ".11", ".12", ".13")
)
OTHER_ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    # The servers' wheels are found in this environment, the rest is the standard library.
    "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{sysconfig.get_path('purelib')}",
}

HOLD_STACK: Final = """
import json, os, sys
from pathlib import Path
from sesame.embedded.stack import Stack
stack = Stack(Path(sys.argv[1]), durable=sys.argv[2] == "durable", settings={})
try:
    endpoints = stack.start()
except Exception as error:
    print(json.dumps({"error": type(error).__name__, "text": str(error)}), flush=True)
    sys.exit(1)
pids = [stack.postgres.pid, stack.valkey.pid]
owners = sorted({os.stat(f"/proc/{pid}").st_uid for pid in pids}) if os.path.exists("/proc") else []
print(json.dumps({"pids": pids, "owners": owners, "database_url": endpoints.database_url,
    "redis_url": endpoints.redis_url}), flush=True)
sys.stdin.read()
stack.stop()
"""


class Starter:
    """A process that holds a stack until its input closes."""

    def __init__(
        self,
        root: Path,
        kind: Literal["durable", "memory"],
        user: struct_passwd | None = None,
        interpreter: str = sys.executable,
    ) -> None:
        self.pids: list[int] = []
        self._process = subprocess.Popen(
            [interpreter, "-c", HOLD_STACK, str(root), kind],
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd=REPOSITORY,
            env=OTHER_ENVIRONMENT | {"HOME": str(root.parent)} if user else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        assert wait_until_gone(self.pids) == []
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def report(self) -> dict[str, Any]:
        """Return the one line that the process prints when its servers run, or why they do not."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], WAIT_S)
        assert ready, "no report in time"
        report = json.loads(self._process.stdout.readline())
        self.pids = report.get("pids", [])
        return report

    def finish(self) -> int:
        """Have it stop its servers and return its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(WAIT_S)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(WAIT_S)


def interpreter_of(user: struct_passwd) -> str | None:
    """Return an interpreter that the user can run together with this checkout."""
    for interpreter in (sys.executable, *SYSTEM_INTERPRETERS):
        try:
            done = subprocess.run(
                [interpreter, "-c", "import tomllib, sesame.embedded.stack"],
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                cwd="/",
                env=OTHER_ENVIRONMENT,
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return interpreter
    return None
