"""One run of a scenario: its steps, its checks, and what it found out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from parking.kit.errors import ParkingError

StepListener = Callable[[str, str], None]


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
