"""Pools of spaces as files: CSV for a table program, JSON for a program."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast
from uuid import UUID

from parking.kit.errors import InvalidInputError
from parking.offers.models import RightPool
from parking.offers.terms import PoolTerms

CONTENT_LENGTH_MAX: Final = 200_000
_NUMBERS: Final = (
    "spaces",
    "risk_basis_points",
    "ahead_s_min",
    "ahead_s_max",
    "stay_s_max",
    "kept_ahead_s",
    "grace_s",
    "cancellable_s",
    "offer_s",
)
_CHOICES: Final = ("holds_offers", "is_on_sale")
COLUMNS: Final = ("area_id", "name", *_NUMBERS, *_CHOICES)
_SAID: Final[Mapping[str, bool]] = {"true": True, "false": False}


def write_csv(pools: Sequence[RightPool]) -> str:
    """Return the pools as CSV with a header."""
    target = io.StringIO()
    table = csv.writer(target, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in _rows(pools):
        table.writerow(
            [str(value).lower() if value in {True, False} else value for value in row.values()]
        )
    return target.getvalue()


def write_json(pools: Sequence[RightPool]) -> str:
    """Return the pools as a JSON list."""
    return json.dumps(list(_rows(pools)), ensure_ascii=False, indent=1)


def read_csv(content: str) -> list[tuple[UUID, PoolTerms]]:
    """Return the areas and terms of a file; errors as in `read_json`."""
    _require_short(content)
    try:
        table = csv.DictReader(io.StringIO(content), strict=True)
        rows, header = list(table), table.fieldnames
    except csv.Error as error:
        raise InvalidInputError("content", "CSV with a header") from error
    if header is None or set(header) != set(COLUMNS):
        raise InvalidInputError("content", f"exactly the columns {', '.join(COLUMNS)}")
    return [_read(number, dict(row)) for number, row in enumerate(rows, start=2)]


def read_json(content: str) -> list[tuple[UUID, PoolTerms]]:
    """Return the areas and terms of a file.

    Raises:
        InvalidInputError: it is no such file; it names the line or the item.
    """
    _require_short(content)
    try:
        rows: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError("content", "JSON") from error
    if not isinstance(rows, list):
        raise InvalidInputError("content", "a list of pools")
    return [_read(number, row) for number, row in enumerate(cast("list[Any]", rows), start=1)]


def _rows(pools: Sequence[RightPool]) -> Iterable[dict[str, Any]]:
    for pool in pools:
        yield {"area_id": str(pool.area_id), **{name: getattr(pool, name) for name in COLUMNS[1:]}}


def _read(number: int, row: object) -> tuple[UUID, PoolTerms]:
    if not isinstance(row, dict) or set(cast("dict[Any, Any]", row)) != set(COLUMNS):
        raise InvalidInputError("content", f"exactly {', '.join(COLUMNS)} at {number}")
    values = cast("dict[str, Any]", row)
    try:
        given: dict[str, Any] = {name: _number(values[name]) for name in _NUMBERS}
        given |= {name: _SAID[str(values[name]).lower()] for name in _CHOICES}
        return UUID(str(values["area_id"])), PoolTerms(name=str(values["name"]), **given)
    except InvalidInputError as error:
        raise InvalidInputError(
            "content", f"{error.field} of {error.expected} at {number}"
        ) from error
    except (KeyError, ValueError) as error:
        raise InvalidInputError(
            "content", f"numbers, true or false, and an id at {number}"
        ) from error


def _number(value: object) -> int:
    if isinstance(value, bool | float):
        raise ValueError("number: expected a whole one")  # noqa: TRY004 - one kind of refusal
    return int(str(value))


def _require_short(content: str) -> None:
    if len(content) > CONTENT_LENGTH_MAX:
        raise InvalidInputError("content", f"at most {CONTENT_LENGTH_MAX} characters")
