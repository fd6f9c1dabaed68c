"""Checking a bill against everything that is stored: what the lanes saw, the table, the money."""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from parking.flows.bills.bill_basis import BillBasis, Evidence, StoredCredit
from parking.flows.bills.billing import AT_EXIT_MAX
from parking.flows.bills.checks import (
    Check,
    CheckName,
    LineCheck,
    Verification,
    check_lines,
    check_rate_table,
    check_total,
    failed,
    missing,
    passed,
    recomputed,
    unknown_lines,
)
from parking.flows.bills.live_bill import circumstances_of
from parking.flows.passes import pass_billing
from parking.flows.proof import collection_check, lane_checks, money_checks
from parking.flows.proof.lane_checks import BilledTime, LaneRecord, check_lane
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.lanes import repository as lanes
from parking.lanes.models import Presentation
from parking.lanes.service import ALTERNATIVES_CONTEXT, PLATE_CONTEXT
from parking.payments import balances, bill_history, repository
from parking.payments import repository as payments
from parking.payments.errors import BillUnknownError
from parking.payments.models import Bill, BillCorrection, BillState
from parking.places import repository as places
from parking.sessions import repository as sessions
from parking.sessions import service as session_service
from parking.sessions.models import Session
from parking.sessions.rules import ReadText, distance
from parking.tariffs import repository as tariffs
from parking.tariffs.fingerprints import fingerprint_of
from parking.tariffs.models import RateTableVersion
from parking.tariffs.rules import STAY_DAYS_MAX

# What cannot change after the entry, other than by a correction.
_FIXED_CIRCUMSTANCES = ("vehicle", "continues_from", "billed_before_minor", "allowances_used_s")


@dataclass(frozen=True, slots=True)
class _Record:
    """The rows about a bill of a stay."""

    bill: Bill
    versions: list[Bill]
    session: Session
    rate_table: RateTableVersion
    corrections: list[BillCorrection]

    @property
    def correction(self) -> str:
        """Return why the bill was corrected; empty where it was not."""
        mine = {
            str(version.id) for version in self.versions if 1 < version.version <= self.bill.version
        }
        made = [item for item in self.corrections if mine & set(item.bill_ids)]
        # Who did it is the operator's affair: a driver reads this too.
        return made[-1].reason if made else ""


async def verify(unit: UnitOfWork, operator_id: UUID, bill_id: UUID) -> Verification:
    """Check one bill; it reads, and changes nothing.

    Raises:
        BillUnknownError: the operator has no such bill.
    """
    bill = await payments.find_bill(unit, operator_id, bill_id)
    if bill is None:
        raise BillUnknownError("bill: expected one of this operator")
    versions = await bill_history.find_versions(unit, bill)
    checks: list[Check] = []
    timezone = "UTC"
    lines: tuple[LineCheck, ...]
    corrections: list[BillCorrection] = []
    if bill.collection_id is not None:
        checks, lines = await collection_check.check(unit, bill, bill.collection_id)
    elif bill.session_id is None or bill.rate_table_id is None:
        checks, lines = pass_billing.check(bill)
    else:
        record = await _read(unit, bill, versions, bill.session_id, bill.rate_table_id)
        corrections = record.corrections
        stay_checks, lines = await _check_stay(unit, record)
        checks += stay_checks
        place = await places.find_place(unit, operator_id, record.session.place_id)
        timezone = timezone if place is None else place.timezone
    checks += await _check_money(unit, bill, versions, corrections)
    title = _title(bill, versions)
    return Verification(title, bill.currency, tuple(checks), lines, timezone)


async def _read(
    unit: UnitOfWork, bill: Bill, versions: list[Bill], session_id: UUID, rate_table_id: UUID
) -> _Record:
    session = await sessions.find_session(unit, bill.operator_id, session_id)
    rate_table = await tariffs.find_version(unit, bill.operator_id, rate_table_id)
    if session is None or rate_table is None:
        raise BillUnknownError("bill: expected one whose stay and rate table are kept")
    corrections = await repository.find_corrections(unit, bill.operator_id, session_id)
    return _Record(bill, versions, session, rate_table, list(corrections))


async def _check_stay(
    unit: UnitOfWork, record: _Record
) -> tuple[list[Check], tuple[LineCheck, ...]]:
    bill = record.bill
    basis, checks = await _basis_of(unit, record)
    if basis is None:
        line_check, lines = unknown_lines(bill.lines, "without a basis nothing can be recomputed")
        return [*checks, line_check, check_total(_total(bill), bill.lines, None)], lines
    entry = await _lane_record(unit, record.session, basis.entry.presentation_id)
    checks += check_lane(
        lane_checks.ENTRY,
        entry,
        BilledTime(
            basis.entered_at,
            basis.entry.observation_id,
            correction=_entry_correction(record, basis),
        ),
    )
    checks += await _check_exit(unit, record, basis)
    checks.append(check_rate_table(basis, record.rate_table.body))
    checks.append(await _check_in_force(unit, record, basis, entry.presentation))
    checks.append(_check_circumstances(record, basis))
    earlier = await bill_history.find_some(unit, bill.operator_id, basis.paid_bill_ids)
    checks.append(money_checks.check_earlier(bill, basis.paid_minor, basis.paid_bill_ids, earlier))
    found, problem = recomputed(basis, record.rate_table.body)
    if found is None:
        words = f"the lines cannot be recomputed: {problem}"
        line_check, lines = unknown_lines(bill.lines, words)
        line_check = replace(line_check, ok=False)
    else:
        line_check, lines = check_lines(bill.lines, found, bill.currency)
    return [*checks, line_check, check_total(_total(bill), bill.lines, found)], lines


def _entry_correction(record: _Record, basis: BillBasis) -> str:
    """Return why the stay's entry was set to just that time; empty where it was not.

    Bills that are issued after such a correction follow it, in their first version already.
    """
    for item in record.corrections:
        text = item.changes.get("entered_at")
        if isinstance(text, str) and datetime.fromisoformat(text) == basis.entered_at:
            return item.reason
    return ""


async def _basis_of(unit: UnitOfWork, record: _Record) -> tuple[BillBasis | None, list[Check]]:
    """Return what the bill stores, or what its rows say of one that was issued before it did."""
    bill, stored = record.bill, record.bill.basis
    if "format" not in stored:
        words = "it was issued before bills stored their basis: taken from the stay's rows instead"
        return await _basis_of_rows(unit, record), [missing(CheckName.BASIS, words)]
    try:
        basis = BillBasis.from_json(stored)
    except InvalidInputError as error:
        words = f"the stored basis cannot be read: {error}"
        return None, [failed(CheckName.BASIS, "a basis of format 1", "", words)]
    if (basis.priced_until, basis.rate_table_id) != (bill.priced_until, bill.rate_table_id):
        words = "the basis names another time or another rate table than the bill"
        expected = f"{bill.priced_until.isoformat()}, {bill.rate_table_id}"
        found = f"{basis.priced_until.isoformat()}, {basis.rate_table_id}"
        return basis, [failed(CheckName.BASIS, expected, found, words)]
    return basis, [
        passed(CheckName.BASIS, f"format {basis.format}", "it stores what it follows from")
    ]


async def _basis_of_rows(unit: UnitOfWork, record: _Record) -> BillBasis:
    bill, session = record.bill, record.session
    history = await bill_history.find_history_of(unit, [(bill.operator_id, session.id)])
    earlier = [
        other
        for other in history[session.id]
        if other.id < bill.id
        and other.paid_at is not None
        and other.paid_at <= bill.issued_at
        and other.state != BillState.CORRECTED
    ]
    given: list[dict[str, Any]] = bill.basis.get("credits", [])
    return BillBasis(
        entered_at=session.entered_at,
        priced_from=session.entered_at,
        priced_until=bill.priced_until,
        rate_table_id=record.rate_table.id,
        rate_table_sha256=fingerprint_of(record.rate_table.body),
        paid_minor=sum(other.total_minor for other in earlier),
        paid_bill_ids=tuple(sorted(other.id for other in earlier)),
        credits=tuple(StoredCredit.model_validate(item) for item in given),
        entry=Evidence.of(session.entry_presentation_id),
        exit=None if bill.presentation_id is None else Evidence.of(bill.presentation_id),
    )


async def _lane_record(unit: UnitOfWork, session: Session, presentation_id: UUID) -> LaneRecord:
    presentation = await lanes.find_presentation(unit, session.operator_id, presentation_id)
    read = await lanes.find_observation(unit, session.operator_id, presentation)
    if read is None:
        return LaneRecord(presentation, None, None)
    text = unit.vault.open(read.plate_sealed, context=PLATE_CONTEXT)
    plate = session_service.plate_of(unit, session)
    opened = unit.vault.open(read.alternatives_sealed, context=ALTERNATIVES_CONTEXT)
    alternatives: dict[str, float] = json.loads(opened)
    seen = ReadText(text, tuple(read.characters), tuple(alternatives.items()))
    return LaneRecord(presentation, read, round(distance(seen, plate), 2))


async def _check_exit(unit: UnitOfWork, record: _Record, basis: BillBasis) -> list[Check]:
    issued_at = record.versions[0].issued_at
    if basis.exit is None:
        if record.correction and basis.priced_until != record.versions[0].priced_until:
            words = f"corrected: {record.correction}"
            return [passed(CheckName.EXIT_TIME, basis.priced_until.isoformat(), words)]
        return [lane_checks.check_time_of_issue(basis.priced_until, issued_at)]
    seen = await _lane_record(unit, record.session, basis.exit.presentation_id)
    billed = BilledTime(
        basis.priced_until,
        basis.exit.observation_id,
        others=_other_ends(basis, seen.presentation, issued_at),
        correction=record.correction,
    )
    return check_lane(lane_checks.EXIT, seen, billed)


def _other_ends(
    basis: BillBasis, seen: Presentation | None, issued_at: datetime
) -> list[tuple[datetime, str]]:
    """Return at which other instants a stay may rightly be priced.

    Not later while the car waits at the exit: that costs nothing.
    """
    longest_at = basis.priced_from + timedelta(days=STAY_DAYS_MAX)
    others = [(longest_at, "it is the longest that a stay is priced for")]
    is_away = seen is not None and (
        issued_at - seen.occupied_at >= AT_EXIT_MAX
        or (seen.cleared_at is not None and seen.cleared_at < issued_at)
    )
    if is_away and timedelta(0) <= issued_at - basis.priced_until <= lane_checks.ISSUING_TIME_MAX:
        words = "priced at the moment that it was issued, after the car had left the exit again"
        others.append((basis.priced_until, words))
    return others


async def _check_in_force(
    unit: UnitOfWork, record: _Record, basis: BillBasis, entry: Presentation | None
) -> Check:
    """The version in force when the car came, or when its entry was decided a moment later.

    A stay that continues others keeps the version of the first.
    """
    name = CheckName.RATE_TABLE_IN_FORCE
    table, place_id = record.rate_table, record.session.place_id
    moments = [basis.priced_from, basis.entered_at]
    if entry is not None:
        moments += [entry.occupied_at]
        moments += [entry.decided_at] if entry.decided_at is not None else []
    newest: RateTableVersion | None = None
    for moment in moments:
        newest = await tariffs.find_in_force(unit, table.operator_id, place_id, moment)
        if newest is not None and newest.id == table.id:
            return passed(name, f"version {table.version}", "it was in force at the entry")
    other = "none" if newest is None else f"version {newest.version}"
    words = "another version was in force at the entry"
    return failed(name, other, f"version {table.version}", words)


def _check_circumstances(record: _Record, basis: BillBasis) -> Check:
    name = CheckName.CIRCUMSTANCES
    begins_at = basis.circumstances.continues_from or basis.entered_at
    if basis.priced_from != begins_at:
        words = "it is not priced from the entry that its circumstances give"
        return failed(name, begins_at.isoformat(), basis.priced_from.isoformat(), words)
    found = basis.circumstances.to_json()
    now = circumstances_of(record.session).to_json()
    if found == now:
        return passed(name, _members(found), "they are those of the stay")
    changed = [part for part in _FIXED_CIRCUMSTANCES if found.get(part) != now.get(part)]
    if changed and not record.corrections:
        words = "they differ from those of the stay in what cannot change after the entry"
        expected = _members({part: now.get(part) for part in changed})
        return failed(name, expected, _members({part: found.get(part) for part in changed}), words)
    return missing(name, "the stay's circumstances changed after this bill was issued")


async def _check_money(
    unit: UnitOfWork, bill: Bill, versions: list[Bill], corrections: list[BillCorrection]
) -> list[Check]:
    attempt_id = versions[-1].paid_attempt_id or bill.paid_attempt_id
    attempt = (
        None
        if attempt_id is None
        else await payments.find_attempt(unit, bill.operator_id, attempt_id)
    )
    refunds = () if attempt is None else await bill_history.find_refunds(unit, attempt)
    ids = [version.id for version in versions]
    transfers = await balances.find_transfers(unit, bill.operator_id, ids)
    return [
        money_checks.check_paid(bill, versions, attempt),
        money_checks.check_ledger(versions, attempt, refunds, transfers),
        money_checks.check_versions(bill, versions, corrections),
    ]


def _title(bill: Bill, versions: list[Bill]) -> str:
    numbered = f", version {bill.version} of {len(versions)}" if len(versions) > 1 else ""
    return f"bill {bill.id}{numbered}, {bill.state}, {_total(bill).format()}"


def _total(bill: Bill) -> Money:
    return Money(bill.total_minor, bill.currency)


def _members(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"
