"""Giving and withdrawing consents. Whoever needs one joins `driver_consents` or asks here."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from parking.drivers.consent_models import (
    ConsentChange,
    ConsentKind,
    ConsentSource,
    DriverConsent,
)
from parking.drivers.consent_texts import VERSIONS, consent_text
from parking.drivers.models import Driver
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.locks import lock
from parking.kit.token_errors import TokenRefusedError

DRIVERS_ASKED_MAX: Final = 10_000
_PUT: Final = text("""
    INSERT INTO driver_consents (driver_id, kind, text_version, source, given_at)
    VALUES (:driver_id, :kind, :text_version, :source, :now)
    ON CONFLICT (driver_id, kind) DO UPDATE SET text_version = excluded.text_version,
        source = excluded.source, given_at = excluded.given_at, withdrawn_at = NULL
    WHERE driver_consents.withdrawn_at IS NOT NULL
        OR driver_consents.text_version <> excluded.text_version
""")
_WITHDRAW: Final = text("""
    UPDATE driver_consents SET withdrawn_at = :now
    WHERE driver_id = :driver_id AND kind = :kind AND withdrawn_at IS NULL
    RETURNING text_version
""")
# A withdrawal waits for whoever acts on the consent, and whoever comes after it finds none.
_HOLD: Final = text("""
    SELECT 1 FROM driver_consents
    WHERE driver_id = :driver_id AND kind = :kind AND withdrawn_at IS NULL FOR SHARE
""")

_HALT: Final = text("""
    SELECT 1 FROM driver_consents WHERE driver_id = :driver_id AND kind = :kind FOR UPDATE
""")


@dataclass(frozen=True, slots=True)
class ConsentView:
    """One consent as its driver sees it.

    Attributes:
        text: The words as they are now, in the driver's language.
        text_version: Of these words.
        agreed_version: Of the words that were agreed to last; None for never.
    """

    kind: ConsentKind
    is_given: bool
    text: str
    text_version: str
    agreed_version: str | None
    given_at: datetime | None
    withdrawn_at: datetime | None


async def give(
    unit: UnitOfWork,
    driver_id: UUID,
    kind: ConsentKind,
    *,
    text_version: str,
    source: ConsentSource = ConsentSource.APP,
) -> bool:
    """Give a consent to the words of a version; returns whether that changed anything.

    Raises:
        InvalidInputError: the words have changed; what was shown is not what would be agreed to.
        TokenRefusedError: there is no such account any more.
    """
    if text_version != VERSIONS[kind]:
        raise InvalidInputError("textVersion", f"{VERSIONS[kind]}, with the text of that version")
    await _lock_driver(unit, driver_id)
    values = {
        "driver_id": driver_id,
        "kind": kind.value,
        "text_version": text_version,
        "source": source.value,
        "now": unit.now(),
    }
    has_changed = (await unit.run(_PUT, values)).rowcount == 1
    if has_changed:
        _note(unit, driver_id, kind, text_version, source, is_given=True)
    return has_changed


async def withdraw(
    unit: UnitOfWork,
    driver_id: UUID,
    kind: ConsentKind,
    *,
    source: ConsentSource = ConsentSource.APP,
) -> bool:
    """Withdraw a consent; returns whether it held. What rests on it is for the caller to end.

    Raises:
        TokenRefusedError: there is no such account any more.
    """
    await _lock_driver(unit, driver_id)
    values = {"driver_id": driver_id, "kind": kind.value, "now": unit.now()}
    version: str | None = (await unit.run(_WITHDRAW, values)).scalar_one_or_none()
    if version is None:
        return False
    _note(unit, driver_id, kind, version, source, is_given=False)
    return True


async def consented(
    unit: UnitOfWork, driver_ids: Collection[UUID], kind: ConsentKind
) -> frozenset[UUID]:
    """Return those of some drivers whose consent holds; at most DRIVERS_ASKED_MAX are asked for."""
    if len(driver_ids) > DRIVERS_ASKED_MAX:
        raise InvalidInputError("driver_ids", f"at most {DRIVERS_ASKED_MAX}")
    statement = (
        select(DriverConsent.driver_id)
        .where(col(DriverConsent.driver_id).in_(list(driver_ids)))
        .where(col(DriverConsent.kind) == kind, col(DriverConsent.withdrawn_at).is_(None))
    )
    return frozenset(await unit.session.exec(statement))


async def hold(unit: UnitOfWork, driver_id: UUID, kind: ConsentKind) -> bool:
    """Return whether a consent holds, and let it hold until this transaction ends.

    The last lock that a transaction takes of the driver's: see docs/consents.md.
    """
    held = await unit.run(_HOLD, {"driver_id": driver_id, "kind": kind.value})
    return held.one_or_none() is not None


async def halt(unit: UnitOfWork, driver_id: UUID, kind: ConsentKind) -> None:
    """Let nobody act on a consent until this transaction ends, and wait for whoever does.

    Raises:
        TokenRefusedError: there is no such account any more.
    """
    await _lock_driver(unit, driver_id)
    await unit.run(_HALT, {"driver_id": driver_id, "kind": kind.value})


async def list_consents(unit: UnitOfWork, driver_id: UUID) -> list[ConsentView]:
    """Return every kind of consent as it stands, also those that were never given."""
    statement = select(DriverConsent).where(col(DriverConsent.driver_id) == driver_id)
    rows = {row.kind: row for row in await unit.session.exec(statement)}
    driver = await unit.session.get(Driver, driver_id)
    locale = "en" if driver is None else driver.locale
    return [_view(kind, rows.get(kind), locale) for kind in ConsentKind]


def _view(kind: ConsentKind, row: DriverConsent | None, locale: str) -> ConsentView:
    return ConsentView(
        kind=kind,
        is_given=row is not None and row.withdrawn_at is None,
        text=consent_text(kind, locale),
        text_version=VERSIONS[kind],
        agreed_version=None if row is None else row.text_version,
        given_at=None if row is None else row.given_at,
        withdrawn_at=None if row is None else row.withdrawn_at,
    )


async def _lock_driver(unit: UnitOfWork, driver_id: UUID) -> None:
    # A deletion of the account comes before or after, never in between.
    if await lock(unit, Driver, shared=True, id=driver_id) is None:
        raise TokenRefusedError


def _note(
    unit: UnitOfWork,
    driver_id: UUID,
    kind: ConsentKind,
    text_version: str,
    source: ConsentSource,
    *,
    is_given: bool,
) -> None:
    now = unit.now()
    unit.session.add(
        ConsentChange(
            driver_id=driver_id,
            id=new_id(now),
            kind=kind,
            is_given=is_given,
            text_version=text_version,
            source=source,
            changed_at=now,
        )
    )
