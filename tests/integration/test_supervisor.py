"""Child processes: ready, restarted, frozen, given up, ended."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from sesame import supervisor as supervisor_module
from sesame.process_spec import PrintedLine, ProcessSpec, Ready
from sesame.supervisor import ProcessDownError, ProcessFailedError, Supervisor
from tests.processes import is_alive, wait_until_gone

WAIT_S: Final = 20.0
GREETING: Final = "import time; print('at your service', flush=True); time.sleep(600)"
STUBBORN: Final = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {GREETING}"
BROKEN: Final = "import sys; sys.exit('no such setting')"

GREETED: Final = PrintedLine("at your service")


def child(name: str, program: str, ready: Ready = GREETED) -> ProcessSpec:
    return ProcessSpec(name, (sys.executable, "-I", "-S", "-c", program), {}, ready)


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    async with Supervisor(tmp_path) as running:
        yield running


async def test_a_child_is_ready_when_it_says_so_and_its_lines_are_kept(tmp_path: Path) -> None:
    echoed: list[tuple[str, str]] = []
    async with Supervisor(tmp_path, lambda name, line: echoed.append((name, line))) as supervisor:
        await supervisor.start(child("porter", GREETING))
        assert echoed == [("porter", "at your service")]
        pid = supervisor.pid("porter")
        assert is_alive(pid)
    assert not is_alive(pid)
    assert (tmp_path / "porter.log").read_text() == "at your service\n"


async def test_a_killed_child_comes_back(supervisor: Supervisor) -> None:
    await supervisor.start(child("porter", GREETING))
    earlier = supervisor.pid("porter")
    supervisor.kill("porter")
    await asyncio.wait_for(supervisor.wait_ready("porter"), WAIT_S)
    assert supervisor.pid("porter") != earlier
    assert not is_alive(earlier)


async def test_a_child_that_ends_before_it_is_ready_is_not_tried_again(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(ProcessFailedError) as failure:
        await supervisor.start(child("porter", BROKEN))
    assert str(failure.value) == (
        "porter ended before it was ready (status 1); "
        f"the end of {tmp_path / 'porter.log'}:\nno such setting"
    )
    with pytest.raises(ProcessDownError):
        supervisor.pid("porter")


async def test_a_child_that_crashes_again_and_again_is_given_up(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "CRASHES_MAX", 1)
    await supervisor.start(child("porter", GREETING))
    supervisor.kill("porter")
    await asyncio.wait_for(supervisor.wait_ready("porter"), WAIT_S)
    supervisor.kill("porter")
    with pytest.raises(ProcessFailedError, match=r"porter crashed 2 times \(status -9\)"):
        await asyncio.wait_for(supervisor.wait_failure(), WAIT_S)


async def test_a_child_that_ignores_sigterm_is_ended_after_the_grace(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "STOP_GRACE_S", 0.0)
    await supervisor.start(child("porter", STUBBORN))
    pid = supervisor.pid("porter")
    await supervisor.stop("porter")
    assert not is_alive(pid)


async def test_a_frozen_child_ends_like_any_other(supervisor: Supervisor) -> None:
    await supervisor.start(child("porter", GREETING))
    pid = supervisor.pid("porter")
    supervisor.send("porter", signal.SIGSTOP)
    await supervisor.stop("porter")
    assert not is_alive(pid)


async def test_a_callable_is_asked_until_it_agrees(supervisor: Supervisor) -> None:
    answers = iter([False, False, True])

    async def is_ready() -> bool:
        return next(answers)

    await supervisor.start(child("porter", GREETING, is_ready))
    assert next(answers, None) is None


async def test_a_name_is_used_once(supervisor: Supervisor) -> None:
    await supervisor.start(child("porter", GREETING))
    pid = supervisor.pid("porter")
    with pytest.raises(ValueError, match="a child named porter exists already"):
        await supervisor.start(child("porter", GREETING))
    assert supervisor.pid("porter") == pid


async def test_children_end_with_a_killed_supervisor(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    program = f"""
import asyncio
from pathlib import Path
from sesame.process_spec import ProcessSpec
from sesame.supervisor import Supervisor
async def main():
    async with Supervisor(Path({str(tmp_path)!r})) as supervisor:
        await supervisor.start(ProcessSpec("inner", ("/bin/sleep", "600"), {{}}))
        print("inner", supervisor.pid("inner"), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    spec = ProcessSpec("outer", (sys.executable, "-c", program), os.environ, PrintedLine("inner"))
    await supervisor.start(spec)
    inner = int((tmp_path / "outer.log").read_text().split()[1])
    assert is_alive(inner)
    supervisor.kill("outer")
    assert await asyncio.to_thread(wait_until_gone, [inner]) == []
