"""What a member does at this moment: it is written down in the transaction that does it.

An act may take several transactions: the first that writes anything carries its row. Where the act
ends otherwise in spite of that, a second row says so; where nothing was written, a transaction of
its own keeps that it was tried.
"""

import hashlib
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
import structlog
from sqlalchemy import text

from parking.kit.clock import Clock
from parking.kit.database import Database, UnitOfWork, witness
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from parking.staff.models import Details
from parking.staff.rules import StaffIdentity

DETAILS_CONTEXT: Final = "staff.act"
ARGUMENTS_BYTES_MAX: Final = 8192
_FAILED_CODE: Final = "INTERNAL"
_INSERT: Final = """
    INSERT INTO staff_acts (operator_id, id, act_id, member_id, roles, action, place_id, outcome,
        code, details_sealed, correlation_id, happened_at)
    SELECT :operator_id, :id, :act_id, :member_id, CAST(:roles AS jsonb), :action, :place_id,
        :outcome, :code, :details_sealed, :correlation_id, :happened_at
"""
_WRITE: Final = text(_INSERT)
# A transaction that only read has no number yet.
_WRITE_BESIDE: Final = text(f"{_INSERT} WHERE pg_current_xact_id_if_assigned() IS NOT NULL")

Result = TypeVar("Result")
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """How an act ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(eq=False)
class Act:
    """One act of one member.

    Attributes:
        arguments: Without secrets; what is longer than ARGUMENTS_BYTES_MAX is kept as its digest.
        place_id: Where what it is about is; None for of no place.
        change: What was before and is after, where the use case tells.
    """

    identity: StaffIdentity
    action: str
    arguments: Mapping[str, Any]
    correlation_id: str
    clock: Clock
    place_id: UUID | None = None
    change: dict[str, object] = field(default_factory=dict[str, object])
    _id: UUID = field(init=False)
    _refusal: str | None = None
    _is_written: bool = False
    _is_stored: bool = False

    def __post_init__(self) -> None:
        self._id = new_id(self.clock.now())

    async def before_commit(self, unit: UnitOfWork) -> None:
        """Write the row beside what the act has written, unless a commit before had it."""
        if not self._is_stored:
            # Of rows that were added and not sent yet, the transaction knows nothing.
            await unit.session.flush()
            values = self._values(unit, self._id, *self._told())
            self._is_written = (await unit.run(_WRITE_BESIDE, values)).rowcount == 1

    def after_commit(self) -> None:
        """Learn that the commit is done."""
        self._is_stored = self._is_stored or self._is_written

    def refuse(self, code: str) -> None:
        """Learn that it is refused, before the transaction that says so commits."""
        self._refusal = code

    async def record(self, unit: UnitOfWork) -> None:
        """Write the row where nothing waits for its end."""
        await unit.session.flush()
        await unit.run(_WRITE, self._values(unit, self._id, Outcome.DONE, None))

    async def close(self, database: Database, outcome: Outcome, code: str | None) -> None:
        """Write how the act ended, where no row says so yet."""
        if self._is_stored and (outcome, code) == self._told():
            return
        row_id = new_id(self.clock.now()) if self._is_stored else self._id
        async with database.begin() as unit:
            await unit.run(_WRITE, self._values(unit, row_id, outcome, code))

    def _told(self) -> tuple[Outcome, str | None]:
        return (Outcome.DONE if self._refusal is None else Outcome.REFUSED), self._refusal

    def _values(
        self, unit: UnitOfWork, row_id: UUID, outcome: Outcome, code: str | None
    ) -> dict[str, object]:
        happened_at: datetime = unit.now()
        return {
            "operator_id": self.identity.operator_id,
            "id": row_id,
            "act_id": self._id,
            "member_id": self.identity.member_id,
            "roles": orjson.dumps(sorted(self.identity.roles)).decode(),
            "action": self.action,
            "place_id": self.place_id,
            "outcome": outcome.value,
            "code": code,
            "details_sealed": unit.vault.seal(
                orjson.dumps(self._details()).decode(), context=DETAILS_CONTEXT
            ),
            "correlation_id": self.correlation_id,
            "happened_at": happened_at,
        }

    def _details(self) -> Details:
        given = orjson.dumps(dict(self.arguments))
        arguments: object = dict(self.arguments)
        if len(given) > ARGUMENTS_BYTES_MAX:
            arguments = {"bytes": len(given), "sha256": hashlib.sha256(given).hexdigest()}
        return {"name": self.identity.name, "arguments": arguments, **self.change}


_current: ContextVar[Act | None] = ContextVar("staff_act", default=None)


def current() -> Act | None:
    """Return the act that is under way; None outside of one."""
    return _current.get()


def note_change(*, before: object, after: object) -> None:
    """Keep with the act that is under way what it changes; outside of one nothing happens."""
    act = _current.get()
    if act is not None:
        act.change = {"before": before, "after": after}


def note_refusal(code: str) -> None:
    """Say that the act that is under way is refused by what this transaction writes."""
    act = _current.get()
    if act is not None:
        act.refuse(code)


@contextmanager
def unrecorded() -> Generator[None]:
    """Let transactions be about the act, and not the act: they carry no row."""
    mark = witness.set(None)
    try:
        yield
    finally:
        witness.reset(mark)


async def perform(
    database: Database,
    act: Act,
    work: Callable[[], Awaitable[Result]],
    refusal_code: Callable[[Result], str | None] = lambda _: None,
) -> Result:
    """Do what a member asks for, and keep that they did.

    Args:
        database: Where the row goes.
        act: Who does what.
        work: Does it; every transaction that it commits may carry the row.
        refusal_code: Says of a result whether it is a refusal, and which.
    """
    marks = _current.set(act), witness.set(act)
    try:
        result = await work()
    except ParkingError as error:
        _unset(*marks)
        await act.close(database, Outcome.REFUSED, error.code)
        raise
    except Exception:
        _unset(*marks)
        await _close_failed(database, act)
        raise
    except BaseException:
        _unset(*marks)
        raise
    _unset(*marks)
    code = refusal_code(result)
    await act.close(database, Outcome.DONE if code is None else Outcome.REFUSED, code)
    return result


async def _close_failed(database: Database, act: Act) -> None:
    try:
        await act.close(database, Outcome.FAILED, _FAILED_CODE)
    except ParkingError:
        # The defect itself is told by whoever catches it; it must not be covered by this one.
        _log.exception("staff_act.not_kept", action=act.action)


def _unset(current_mark: Any, witness_mark: Any) -> None:  # noqa: ANN401 - tokens of two kinds
    _current.reset(current_mark)
    witness.reset(witness_mark)
