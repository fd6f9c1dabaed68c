"""What a child process is and how it shows that it is ready."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

CHECK_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class AnsweringUrl:
    """Ready when a GET of the URL succeeds."""

    url: str

    async def check(self) -> bool:
        """Ask once."""
        try:
            async with httpx.AsyncClient(timeout=CHECK_TIMEOUT_S, trust_env=False) as client:
                answer = await client.get(self.url)
        except httpx.HTTPError:
            return False
        return answer.is_success


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """Ready when a line of the child's output contains the text."""

    text: str


# A callable is asked until it says yes; None: ready as soon as it runs.
Ready = AnsweringUrl | PrintedLine | Callable[[], Awaitable[bool]] | None


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A child process.

    Attributes:
        name: Its name in logs and calls; also the name of its log file.
        argv: Program and arguments.
        environment: The whole environment.
        ready: How it shows that it is ready.
        folder: Its working folder; None is the supervisor's.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    ready: Ready = None
    folder: Path | None = None


async def shows_ready(ready: Ready, lines: list[str]) -> bool:
    """Ask once whether the child is ready; `lines` are what it printed since the last time."""
    match ready:
        case None:
            return True
        case PrintedLine(text):
            return any(text in line for line in lines)
        case AnsweringUrl():
            return await ready.check()
        case _:
            return await ready()
