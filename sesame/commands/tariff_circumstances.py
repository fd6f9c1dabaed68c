"""What the options of a quote say about the vehicle, its rights and what it used before."""

from collections.abc import Sequence
from typing import Any, get_args

from parking.kit.errors import InvalidInputError
from parking.tariffs.rate_terms import VehicleClass
from parking.tariffs.rules import Circumstances, RateTable

_CLASSES: tuple[str, ...] = get_args(VehicleClass)


def circumstances_of(
    table: RateTable,
    *,
    vehicle: Sequence[str],
    validations: Sequence[str],
    merchants: Sequence[str],
    used: Sequence[str],
    has_pass: bool,
) -> Circumstances:
    """Return the circumstances that the options describe.

    Raises:
        InvalidInputError: names the option; also for a validation or allowance that the table has
            not, which would otherwise do nothing.
    """
    for name in validations:
        if table.validation(name) is None:
            raise InvalidInputError(
                "validation", _one_of([each.name for each in table.validations])
            )
    return Circumstances.from_json(
        {
            "vehicle": _vehicle(vehicle),
            "has_pass": has_pass,
            "merchants": list(merchants),
            "validations": list(validations),
            "allowances_used_s": _used(table, used),
        }
    )


def _vehicle(given: Sequence[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    words = [word.strip().lower() for text in given for word in text.split(",")]
    for word in words:
        name = word.removeprefix("class=")
        if word in {"ev", "resident"}:
            facts[f"is_{word}"] = True
        elif name in _CLASSES and facts.get("vehicle_class", name) == name:
            facts["vehicle_class"] = name
        else:
            raise InvalidInputError(
                "vehicle", f"one class of {', '.join(_CLASSES)}, and ev or resident"
            )
    return facts


def _used(table: RateTable, given: Sequence[str]) -> dict[str, dict[str, int]]:
    known = [allowance.name for allowance in table.allowances]
    used: dict[str, dict[str, int]] = {}
    for text in given:
        name, _, balance = text.rpartition("=")
        period, _, seconds = balance.rpartition(":")
        if not name or not period or not seconds.isdecimal() or not seconds.isascii():
            raise InvalidInputError("used", 'text such as "first EV hour=2025-03-03:1800"')
        if name not in known:
            raise InvalidInputError("used", _one_of(known))
        used.setdefault(name, {})[period] = int(seconds)
    return used


def _one_of(names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}" if names else "no value: the rate table has none"
