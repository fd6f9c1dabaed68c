"""A day's movements of money, as the books have them or as a rule makes them differ."""

import secrets
from dataclasses import dataclass, replace

from sesame.sandbox.platform.scenarios import Scenario
from sesame.sandbox.platform.store import Json, Store

LINES_MAX = 100_000
EXTRA_AMOUNT_MINOR = 100
BASIS_POINTS = 10_000

_STATEMENT = """
select case space when 'refund' then 'refund' else 'charge' end as kind,
    number, reference, amount_minor, currency, settled_ms as occurred_ms, parent, extra
  from orders where status = 'succeeded' and settled_ms >= :start and settled_ms < :end
union all
select 'chargeback', number, reference, amount_minor, currency, created_ms, null, extra
  from chargeback where created_ms >= :start and created_ms < :end
union all
select 'chargeback_reversed', number, reference, amount_minor, currency, settled_ms, null, extra
  from chargeback where status = 'won' and settled_ms >= :start and settled_ms < :end
order by occurred_ms, number, kind limit :limit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLine:
    """One movement.

    Attributes:
        kind: As `parking.payments.port.SettlementKind` names it.
        amount_minor: Always positive.
        parent: The agreement of a charge, the refunded number of a refund.
    """

    kind: str
    number: str
    reference: str
    amount_minor: int
    currency: str
    occurred_ms: int
    parent: str | None
    extra: Json
    fee_minor: int = 0


def settlement_lines(
    store: Store,
    start_ms: int,
    end_ms: int,
    *,
    differences: frozenset[Scenario] = frozenset(),
    fee_basis_points: int = 0,
) -> list[SettlementLine]:
    """Return what moved from `start_ms` on, before `end_ms`, oldest first.

    Args:
        store: The books.
        start_ms: Of the day.
        end_ms: Of the day, exclusive.
        differences: As `Script.take_differences` gave them.
        fee_basis_points: What the platform keeps of each charge.
    """
    rows = store.all(
        # Numbered marks stand for the names, so that one value can be used several times.
        _STATEMENT.replace(":start", "?1").replace(":end", "?2").replace(":limit", "?3"),
        start_ms,
        end_ms,
        LINES_MAX,
    )
    lines = [SettlementLine(**row) for row in rows]
    lines = [
        replace(line, fee_minor=line.amount_minor * fee_basis_points // BASIS_POINTS)
        if line.kind == "charge"
        else line
        for line in lines
    ]
    return _differing(lines, differences, end_ms)


def _differing(
    lines: list[SettlementLine], differences: frozenset[Scenario], end_ms: int
) -> list[SettlementLine]:
    template = lines[0] if lines else None
    if Scenario.SETTLEMENT_MISSING_ROW in differences:
        lines = lines[1:]
    if Scenario.SETTLEMENT_OTHER_AMOUNT in differences and lines:
        lines = [replace(lines[0], amount_minor=lines[0].amount_minor + 1), *lines[1:]]
    if Scenario.SETTLEMENT_EXTRA_ROW in differences:
        extra = SettlementLine(
            kind="charge",
            number=secrets.token_hex(16),
            reference=f"txn_{secrets.token_hex(10)}",
            amount_minor=EXTRA_AMOUNT_MINOR,
            currency=template.currency if template else "CNY",
            occurred_ms=end_ms - 1,
            parent=None,
            extra=template.extra if template else {},
        )
        lines = [*lines, extra]
    return lines
