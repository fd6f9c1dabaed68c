"""Whether everything came out right: the books of the installation and of the provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from parking.payments import balances
from sesame.bench.installation import BenchInstallation
from sesame.bench.town import CURRENCY, Stay

# One row for each stay: is it over, what was billed and paid, how often was it charged.
_OUTCOMES: Final = text(
    """
    SELECT sessions.state,
        count(DISTINCT bills.id) FILTER (WHERE bills.state <> 'void') AS bills,
        count(DISTINCT bills.id) FILTER (WHERE bills.state = 'paid') AS paid,
        count(DISTINCT payment_attempts.id) AS attempts,
        count(DISTINCT payment_attempts.id)
            FILTER (WHERE payment_attempts.state = 'succeeded') AS succeeded
    FROM sessions
    LEFT JOIN bills
        ON bills.operator_id = sessions.operator_id AND bills.session_id = sessions.id
    LEFT JOIN payment_attempts ON payment_attempts.operator_id = bills.operator_id
        AND payment_attempts.bill_id = bills.id
    WHERE sessions.operator_id = :operator_id AND sessions.id = ANY(:session_ids)
    GROUP BY sessions.operator_id, sessions.id, sessions.state
    """
)
_LEFT: Final = "left"


@dataclass(frozen=True, slots=True)
class Audit:
    """What the books say about the exits.

    Attributes:
        exits: Stays that were to end.
        left: Of them, those whose car passed the barrier.
        paid: Those with exactly one bill, which is paid.
        charged_once: Those with exactly one attempt, which succeeded.
        ledger_sum_minor: Of all accounts; 0 or money appeared from nowhere.
        ledger_captured_minor: What the provider holds for the operator, by our ledger.
        provider_captured_minor: The same by the provider's books.
    """

    exits: int
    left: int
    paid: int
    charged_once: int
    ledger_sum_minor: int
    ledger_captured_minor: int
    provider_captured_minor: int

    @property
    def is_right(self) -> bool:
        """Whether every exit was paid and charged once, and all books agree."""
        return (
            self.left == self.paid == self.charged_once == self.exits
            and self.ledger_sum_minor == 0
            and self.ledger_captured_minor == self.provider_captured_minor
        )


async def audit(installation: BenchInstallation, stays: Sequence[Stay]) -> Audit:
    """Read the books; `stays` are all that left, each once."""
    operator_id = stays[0].lane.operator_id
    provider = installation.context.checkout_provider
    async with installation.context.database.begin() as unit:
        rows = (
            await unit.run(
                _OUTCOMES,
                {"operator_id": operator_id, "session_ids": [stay.session_id for stay in stays]},
            )
        ).all()
        found = await balances.balances(unit, operator_id)
    return Audit(
        exits=len(stays),
        left=sum(row.state == _LEFT for row in rows),
        paid=sum(row.bills == 1 and row.paid == 1 for row in rows),
        charged_once=sum(row.attempts == 1 and row.succeeded == 1 for row in rows),
        ledger_sum_minor=sum(found.values()),
        ledger_captured_minor=found.get((f"provider:{provider}", CURRENCY), 0),
        provider_captured_minor=await installation.captured_minor(CURRENCY),
    )
