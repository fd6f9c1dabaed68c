"""How long an installation keeps what: the defaults, or what its settings file says."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from parking.flows.retention.kinds import KINDS, Kind
from parking.kit.errors import InvalidInputError

DAYS_MAX: Final = 36_530
OPERATORS_MAX: Final = 1_000
_FIELD: Final = "SESAME_RETENTION_FILE"
_NAMES: Final = {kind.name: kind for kind in KINDS if kind.days is not None}


@dataclass(frozen=True, slots=True)
class Policy:
    """Periods in days, by kind; an operator's own count for that operator's rows.

    Attributes:
        operators: By operator and kind.
    """

    days: Mapping[str, int] = field(default_factory=dict[str, int])
    operators: Mapping[UUID, Mapping[str, int]] = field(
        default_factory=dict[UUID, Mapping[str, int]]
    )

    def cutoff(self, kind: Kind, now: datetime) -> datetime:
        """Return before when a row of the kind must have ended to go."""
        return now - timedelta(days=self.days.get(kind.name, kind.days or DAYS_MAX))

    def own_cutoffs(self, kind: Kind, now: datetime) -> dict[UUID, datetime]:
        """Return the same for the operators that have a period of their own."""
        return {
            operator_id: now - timedelta(days=days[kind.name])
            for operator_id, days in self.operators.items()
            if kind.name in days
        }


def read_policy(text: str) -> Policy:
    """Return the policy of a settings file.

    Raises:
        InvalidInputError: it is no TOML, names a kind that there is not, or a period below its
            floor.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(_FIELD, f"TOML: {error}") from error
    unknown = set(given) - {"days", "operators"}
    if unknown:
        raise InvalidInputError(_FIELD, f"[days] and [operators.ID], not {min(unknown)}")
    operators = _table(given.get("operators", {}), "operators")
    if len(operators) > OPERATORS_MAX:
        raise InvalidInputError(_FIELD, f"at most {OPERATORS_MAX} operators")
    return Policy(
        _days(given.get("days", {}), "days"),
        {_operator(name): _days(days, f"operators.{name}") for name, days in operators.items()},
    )


def _operator(name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError as error:
        raise InvalidInputError(_FIELD, f"operators.{name}: an operator's id") from error


def _days(given: object, where: str) -> dict[str, int]:
    return {name: _period(f"{where}.{name}", name, d) for name, d in _table(given, where).items()}


def _period(where: str, name: str, days: object) -> int:
    kind = _NAMES.get(name)
    if kind is None:
        raise InvalidInputError(_FIELD, f"{where}: one of {', '.join(_NAMES)}")
    if not isinstance(days, int) or isinstance(days, bool):
        raise InvalidInputError(_FIELD, f"{where}: a whole number of days")
    if not kind.days_min <= days <= DAYS_MAX:
        raise InvalidInputError(_FIELD, f"{where}: {kind.days_min} to {DAYS_MAX} days")
    return days


def _table(given: object, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidInputError(_FIELD, f"{where}: a table")
    return cast("dict[str, Any]", given)
