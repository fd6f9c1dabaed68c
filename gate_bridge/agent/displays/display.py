"""The port to a lane's display."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from parking.kit.errors import ParkingError


class DisplayError(ParkingError):
    """The display did not take a text."""

    code: ClassVar[str] = "DISPLAY_FAILED"
    retryable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands on a display.

    Attributes:
        lines: From the top; none for an empty display.
        qr: What a code to scan says; empty for none.
        for_s: How long it may stand there.
    """

    lines: tuple[str, ...] = ()
    qr: str = ""
    for_s: float = 0.0


class Display(Protocol):
    """A lane's display."""

    async def show(self, shown: Shown) -> None:
        """Show something in place of what is there; the same again is harmless.

        Raises:
            DisplayError: it was not taken, or nobody knows.
        """
        ...
