"""One run of a scenario: its steps, its checks, and what it found out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeVar

from parking.kit.errors import ParkingError

StepListener = Callable[[str, str], None]
LOOK_S: Final = 0.1
LOOKS_MAX: Final = 600

_Found = TypeVar("_Found")


class ScenarioFailedError(ParkingError):
    """Something did not turn out as promised."""

    code: ClassVar[str] = "SCENARIO_FAILED"

    def __init__(self, what: str, found: object, wanted: object) -> None:
        super().__init__(f"{what}: expected {wanted!r}, found {found!r}")


@dataclass(slots=True)
class Act:
    """One run.

    Attributes:
        on_step: Told the scenario's name and each step as it begins.
        facts: What is worth telling afterwards, such as the amount paid.
        checks: How many expectations were met.
    """

    name: str
    on_step: StepListener
    facts: dict[str, str | int] = field(default_factory=dict[str, str | int])
    checks: int = 0

    def step(self, text: str) -> None:
        """Say what happens next."""
        self.on_step(self.name, text)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Go on only if what was found is what was wanted.

        Raises:
            ScenarioFailedError: it is something else.
        """
        if found != wanted:
            raise ScenarioFailedError(what, found, wanted)
        self.checks += 1

    def expect_that(self, what: str, *, holds: bool) -> None:
        """Go on only if something holds.

        Raises:
            ScenarioFailedError: it does not.
        """
        self.expect(what, holds, wanted=True)


async def eventually(what: str, look: Callable[[], Awaitable[_Found | None]]) -> _Found:
    """Look until there is something, or as long as a worker may take; returns what was found.

    Raises:
        ScenarioFailedError: there is nothing still.
    """
    for _ in range(LOOKS_MAX):
        found = await look()
        if found:
            return found
        await asyncio.sleep(LOOK_S)
    raise ScenarioFailedError(what, "nothing", "something")
