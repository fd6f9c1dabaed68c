"""What is corrected of a stay, checked against what is recorded and written into its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from parking.drivers import stays
from parking.flows.bills import live_bill
from parking.flows.bills.bill_lines import StayFacts
from parking.flows.payments import refunds
from parking.flows.payments.repricing import Waiver
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.payments import repository
from parking.payments.errors import BillUnknownError
from parking.sessions import corrections
from parking.sessions.models import Session
from parking.tariffs.rules import Circumstances, Vehicle

WAIVED_LINES_MAX: Final = 1_000

_LineName = tuple[str, str | None, str]
"""The reason of a line, when its time begins, and its collection: the same on every bill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was wrong with a stay; what is left out stays as it is.

    Attributes:
        entered_at: Not before the recorded entry, and not in the future.
        left_at: Not after the recorded exit; only of a stay that ended.
        vehicle: What the vehicle really is.
        circumstances: All of them, where more than the vehicle was wrong.
        waive: Whether the stay costs nothing, whatever the facts say.
        waived_lines: Lines of a bill, counted from 0, that are given up. Not with other facts.
        bill_id: Whose lines they are: any version; None for the stay's newest bill.
    """

    entered_at: datetime | None = None
    left_at: datetime | None = None
    vehicle: Vehicle | None = None
    circumstances: Circumstances | None = None
    waive: bool = False
    waived_lines: tuple[int, ...] = ()
    bill_id: UUID | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is corrected, as the stay's history keeps it."""
        said = {
            "entered_at": None if self.entered_at is None else self.entered_at.isoformat(),
            "left_at": None if self.left_at is None else self.left_at.isoformat(),
            "vehicle": None if self.vehicle is None else self.vehicle.model_dump(mode="json"),
            "circumstances": None if self.circumstances is None else self.circumstances.to_json(),
            "waive": self.waive or None,
            "waived_lines": sorted(set(self.waived_lines)) or None,
            "bill_id": None if self.bill_id is None else str(self.bill_id),
        }
        return {name: value for name, value in said.items() if value is not None}


def corrected_facts(session: Session, correction: Correction, now: datetime) -> StayFacts:
    """Return what a stay is priced by once it is corrected; nothing is written.

    Raises:
        InvalidInputError: the correction contradicts what is recorded.
    """
    _check_times(session, correction, now)
    circumstances = correction.circumstances or live_bill.circumstances_of(session)
    if correction.vehicle is not None:
        circumstances = circumstances.model_copy(update={"vehicle": correction.vehicle})
    entered_at = correction.entered_at or session.entered_at
    priced_from = circumstances.continues_from or entered_at
    return StayFacts(priced_from=priced_from, priced_until=priced_from, circumstances=circumstances)


async def write_facts(
    unit: UnitOfWork, session: Session, correction: Correction, facts: StayFacts
) -> None:
    """Write what `corrected_facts` gave into a locked stay's rows."""
    if correction.circumstances is not None or correction.vehicle is not None:
        corrections.correct_circumstances(unit, session, facts.circumstances.to_json())
    if correction.entered_at is None and correction.left_at is None:
        return
    await corrections.correct_times(
        unit, session, entered_at=correction.entered_at, left_at=correction.left_at
    )
    if session.driver_id is not None:
        await stays.correct_stay_times(
            unit,
            session.driver_id,
            session.id,
            entered_at=session.entered_at,
            left_at=session.left_at,
        )


def _check_times(session: Session, correction: Correction, now: datetime) -> None:
    entered_at = correction.entered_at or session.entered_at
    if entered_at.tzinfo is None or entered_at < session.entered_at:
        raise InvalidInputError("enteredAt", "an aware time, not before the recorded entry")
    if session.left_at is None and correction.entered_at is not None and entered_at > now:
        # The stay would cost nothing until then.
        raise InvalidInputError("enteredAt", "a time that is not in the future")
    left_at = correction.left_at
    if left_at is not None and (session.left_at is None or left_at.tzinfo is None):
        raise InvalidInputError("leftAt", "an aware time, of a stay that has ended")
    ends_at = left_at or session.left_at
    if ends_at is not None and session.left_at is not None and ends_at > session.left_at:
        raise InvalidInputError("leftAt", "a time not after the recorded exit")
    if ends_at is not None and ends_at < entered_at:
        raise InvalidInputError("leftAt", "a time not before the entry")


async def find_waiver(
    unit: UnitOfWork, session: Session, correction: Correction, reason: str
) -> Waiver | None:
    """Return what a correction gives up besides what the facts say.

    Raises:
        InvalidInputError: it names no lines of the bill, or other facts too.
        BillUnknownError: the bill is not one of the stay's.
    """
    note = reason.strip()[: refunds.NOTE_LENGTH_MAX]
    if correction.waive:
        return Waiver(None, note)
    if not correction.waived_lines:
        return None
    if replace(correction, waived_lines=(), bill_id=None) != Correction():
        raise InvalidInputError("waivedLines", "no other correction at the same time")
    bill = None
    if correction.bill_id is not None:
        bill = await repository.find_bill(unit, session.operator_id, correction.bill_id)
    if bill is None or bill.session_id != session.id:
        raise BillUnknownError("billId: expected one of this stay")
    indexes = correction.waived_lines
    if len(indexes) > WAIVED_LINES_MAX or any(not 0 <= one < len(bill.lines) for one in indexes):
        raise InvalidInputError("waivedLines", "lines of the bill, counted from 0")
    given = await _given_before(unit, session)
    lines = [bill.lines[index] for index in sorted(set(indexes))]
    left = (line["amount_minor"] - given.get(_name_of(line), 0) for line in lines)
    return Waiver(sum(max(amount_minor, 0) for amount_minor in left), note)


async def _given_before(unit: UnitOfWork, session: Session) -> dict[_LineName, int]:
    """Return how much of each line earlier corrections gave up: nobody gets it twice.

    Versions of a bill repeat its lines, and later bills of a stay those of the earlier ones.
    """
    given: dict[_LineName, int] = {}
    for item in await repository.find_corrections(unit, session.operator_id, session.id):
        indexes = item.changes.get("waived_lines")
        if not indexes:
            continue
        bill = await repository.find_bill(
            unit, session.operator_id, UUID(str(item.changes["bill_id"]))
        )
        if bill is None:
            continue
        for line in (bill.lines[int(index)] for index in indexes):
            name = _name_of(line)
            given[name] = max(given.get(name, 0), int(line["amount_minor"]))
    return given


def _name_of(line: Mapping[str, Any]) -> _LineName:
    return line["reason"], line["starts_at"], line["collection"]
