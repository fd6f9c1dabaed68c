"""An installation of the first version, with its data, becomes one of this version and back."""

import asyncio
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import migrations
from parking.kit.clock import SystemClock
from parking.kit.crypto import Vault
from parking.kit.database import Database
from parking.kit.ids import new_id
from sesame.migration import drift

FIRST: Final = "0001"
VAULT: Final = Vault(field_key=b"f" * 32, index_key=b"i" * 32)
# As the first version wrote them: a stay that was charged, and one whose bill is not paid.
OPERATOR: Final = "INSERT INTO operators VALUES (:operator, 'Blue Heron', now())"
PLACE: Final = (
    "INSERT INTO places VALUES (:operator, :place, 'Quay', 'Europe/Berlin', 'EUR', now())"
)
RATE_TABLE: Final = "INSERT INTO rate_tables VALUES (:operator, :table, :place, 1, now(), '{}')"
SESSION: Final = """
INSERT INTO sessions (operator_id, id, place_id, plate_index, plate_sealed, rate_table_id,
    entry_presentation_id, state, version, entered_at)
VALUES (:operator, :session, :place, :table, 'sealed', :table, :presentation, 'active', 3, now())
"""
OBSERVATION: Final = """
INSERT INTO observations (operator_id, id, place_id, lane_id, presentation_id, method, plate_index,
    plate_sealed, alternatives_sealed, confidence, frames, source, captured_at)
VALUES (:operator, :observation, :place, :place, :presentation, 'image', :table, 'sealed', 'sealed',
    0.99, 2, 'weights', now())
"""
BILL: Final = """
INSERT INTO bills (operator_id, id, session_id, place_id, rate_table_id, state, total_minor,
    currency, lines, priced_until, issued_at, paid_at, attempts)
VALUES (:operator, :{bill}, :session, :place, :table, '{state}', 500, 'EUR', '[]', now(), now(),
    {paid_at}, 1)
"""
ATTEMPT: Final = """
INSERT INTO payment_attempts (operator_id, id, bill_id, session_id, kind, provider, number,
    amount_minor, currency, state, queries, sent_at, next_query_at)
VALUES (:operator, :{attempt}, :{bill}, :session, 'charge', 'acquirer', '{attempt}', 500, 'EUR',
    '{state}', 0, now(), now())
"""
STATEMENTS: Final = (
    OPERATOR,
    PLACE,
    RATE_TABLE,
    SESSION,
    OBSERVATION,
    BILL.format(bill="paid", state="paid", paid_at="now()"),
    BILL.format(bill="issued", state="issued", paid_at="NULL"),
    ATTEMPT.format(attempt="refused", bill="paid", state="failed"),
    ATTEMPT.format(attempt="charged", bill="paid", state="succeeded"),
    ATTEMPT.format(attempt="declined", bill="issued", state="failed"),
)


def move(url: str, revision: str) -> None:
    """Migrate down to the first version, or up to a later one."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = url
    (command.downgrade if revision == FIRST else command.upgrade)(config, revision)


def run(url: str, *statements: str, **values: object) -> list[tuple[Any, ...]]:
    """Run statements in one transaction; returns the rows of the last."""

    async def work() -> list[tuple[Any, ...]]:
        database = Database(url, clock=SystemClock(), vault=VAULT, connections_max=1)
        try:
            async with database.begin() as unit:
                for statement in statements[:-1]:
                    await unit.run(text(statement), values)
                found = await unit.run(text(statements[-1]), values)
                return [tuple(row) for row in found] if found.returns_rows else []
        finally:
            await database.close()

    return asyncio.run(work())


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what this version reads of the rows that the first one wrote."""
    return {
        "bills": run(
            url, "SELECT state, total_minor, version, basis, paid_attempt_id FROM bills ORDER BY 1"
        ),
        "sessions": run(url, "SELECT state, version, circumstances FROM sessions"),
        "observations": run(url, "SELECT confidence, characters, region FROM observations"),
    }


def test_an_installation_of_the_first_version_is_brought_to_this_one(database_url: str) -> None:
    names = "session observation presentation paid issued refused charged declined"
    now = SystemClock().now()
    ids: dict[str, UUID] = {name: new_id(now) for name in names.split()}
    ids |= {name: uuid4() for name in ("operator", "place", "table")}
    move(database_url, FIRST)
    run(database_url, *STATEMENTS, **ids)

    move(database_url, "head")
    brought: dict[str, list[tuple[Any, ...]]] = {
        "bills": [("issued", 500, 1, {}, None), ("paid", 500, 1, {}, ids["charged"])],
        "sessions": [("active", 3, {})],
        "observations": [(0.99, [], None)],
    }
    assert rows(database_url) == brought
    assert asyncio.run(drift(database_url)) == []

    with pytest.raises(DBAPIError, match="bills"):
        run(database_url, "UPDATE bills SET total_minor = 0")
    move(database_url, FIRST)
    assert run(database_url, "SELECT state, total_minor FROM bills ORDER BY 1") == [
        ("issued", 500),
        ("paid", 500),
    ]
    run(database_url, "UPDATE bills SET attempts = attempts")
    move(database_url, "head")
    assert rows(database_url) == brought
