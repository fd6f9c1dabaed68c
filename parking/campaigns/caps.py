"""How often one driver may be written to, whoever pays for it."""

from dataclasses import dataclass
from typing import Final

from parking.kit.errors import InvalidInputError

# Of all operators together, on one of the driver's own days, and from Monday to Sunday of them.
EVERYBODY_DAY_MAX: Final = 2
EVERYBODY_WEEK_MAX: Final = 7
OPERATOR_DAY_MAX: Final = 1
OPERATOR_WEEK_MAX: Final = 3
CONTROL_PERMILLE: Final = 50
CONTROL_PERMILLE_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Caps:
    """How often an operator writes to one driver at most, all campaigns together.

    Attributes:
        control_permille: How many of a thousand drivers no campaign writes to.
    """

    day: int = OPERATOR_DAY_MAX
    week: int = OPERATOR_WEEK_MAX
    control_permille: int = CONTROL_PERMILLE

    def __post_init__(self) -> None:
        if not 1 <= self.day <= EVERYBODY_DAY_MAX:
            raise InvalidInputError("day_messages_max", f"1 to {EVERYBODY_DAY_MAX}")
        if not self.day <= self.week <= EVERYBODY_WEEK_MAX:
            raise InvalidInputError(
                "week_messages_max", f"{self.day} to {EVERYBODY_WEEK_MAX}, not below the day's"
            )
        if not 0 <= self.control_permille <= CONTROL_PERMILLE_MAX:
            raise InvalidInputError("control_permille", f"0 to {CONTROL_PERMILLE_MAX}")
