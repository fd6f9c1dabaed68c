"""Everything that is kept about a driver, as one JSON document that is written while it is read."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from parking.flows.accounts.export_sections import SECTIONS, Section
from parking.flows.context import ParkingContext
from parking.kit.crypto import Vault
from parking.kit.database import UnitOfWork
from parking.sessions.service import FORGOTTEN

FORMAT: Final = "sesame-account-export/1"
ROWS_PER_PAGE: Final = 500
# More than anybody parks; a list that has more says that it is not complete.
ROWS_MAX: Final = 50_000
_SEALED: Final = "_sealed"


async def export_account(context: ParkingContext, driver_id: UUID) -> AsyncGenerator[bytes]:
    """Yield the document in pieces: at no time more than one page of one list is in memory.

    Each page is read in a transaction of its own, so that a slow reader holds none open.
    """
    head = {"format": FORMAT, "exportedAt": context.clock.now()}
    yield orjson.dumps(head)[:-1]
    incomplete: list[str] = []
    for section in SECTIONS:
        yield b"," + orjson.dumps(section.name) + b":["
        offset = 0
        while rows := await _page(context, section, driver_id, offset):
            pieces = b",".join(orjson.dumps(row, default=str) for row in rows)
            yield b"," + pieces if offset else pieces
            offset += len(rows)
            if len(rows) < ROWS_PER_PAGE:
                break
            if offset >= ROWS_MAX:
                incomplete.append(section.name)
                break
        yield b"]"
    yield b',"incomplete":' + orjson.dumps(incomplete) + b"}"


async def _page(
    context: ParkingContext, section: Section, driver_id: UUID, offset: int
) -> list[dict[str, Any]]:
    async with context.database.begin() as unit:
        return await _rows(unit, section, driver_id, offset)


async def _rows(
    unit: UnitOfWork, section: Section, driver_id: UUID, offset: int
) -> list[dict[str, Any]]:
    statement = text(f"{section.sql} LIMIT :rows OFFSET :offset")
    values = {"driver_id": driver_id, "rows": ROWS_PER_PAGE, "offset": offset}
    found = (await unit.run(statement, values)).mappings().all()
    return [_shown(unit.vault, section, row) for row in found]


def _shown(vault: Vault, section: Section, row: Mapping[Any, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for column, value in row.items():
        name = str(column).removesuffix(_SEALED)
        if name != column:
            value = _opened(vault, section.sealed[column], value)  # noqa: PLW2901 - the same column, opened
        if name in section.json and isinstance(value, str):
            value = orjson.loads(value)  # noqa: PLW2901 - the same column, read
        shown[_camel_case(name)] = value
    return shown


def _opened(vault: Vault, context: str, sealed: bytes | None) -> str | None:
    if sealed is None or sealed == FORGOTTEN:
        return None
    return vault.open(sealed, context=context)


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)
