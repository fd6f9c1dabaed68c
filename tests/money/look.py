"""What a story can see: everything that makes the next step an interesting one."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.money.town import Town

Row = dict[str, Any]

_INSIDE = """
SELECT s.operator_id, s.id, s.place_id, s.plate_index, s.driver_id, s.state, s.entered_at
FROM sessions s JOIN open_sessions o ON o.operator_id = s.operator_id AND o.session_id = s.id
ORDER BY s.entered_at, s.id
"""
_ATTEMPTS = """
SELECT a.operator_id, a.id, a.bill_id, a.session_id, a.number, a.kind, a.state, a.provider,
       a.checkout_url, a.amount_minor, a.sent_at, b.state AS bill_state, b.driver_id
FROM payment_attempts a JOIN bills b ON b.operator_id = a.operator_id AND b.id = a.bill_id
ORDER BY a.sent_at, a.id
"""
_BILLS = """
SELECT operator_id, id, session_id, driver_id, state, total_minor, live_attempt_id, paid_attempt_id
FROM bills WHERE state <> 'void' ORDER BY issued_at, id
"""
_STANDING = """
SELECT p.operator_id, p.id, p.lane_id, p.session_id, p.action, p.reason
FROM presentations p WHERE p.cleared_at IS NULL AND p.session_id IS NOT NULL
ORDER BY p.occupied_at, p.id
"""
_MANDATES = """
SELECT driver_id, id, provider, state FROM mandates WHERE state <> 'revoked'
ORDER BY created_at, id
"""
_REFUNDS = """
SELECT operator_id, id, state, bill_id, attempt_id FROM refunds ORDER BY requested_at, id
"""
# The wires of the others know no chargebacks.
CHARGED_BACK_BY = frozenset({"stripe", "gocardless"})
LIVE = frozenset({"sent", "accepted", "unknown"})


@dataclass(frozen=True, slots=True)
class Look:
    """The state of the money at one moment, oldest first."""

    inside: list[Row]
    attempts: list[Row]
    bills: list[Row]
    standing: list[Row]
    mandates: list[Row]
    refunds: list[Row]

    @property
    def live(self) -> list[Row]:
        """Attempts whose outcome is not certain."""
        return [row for row in self.attempts if row["state"] in LIVE]

    @property
    def unknown(self) -> list[Row]:
        """Attempts of which nobody knows anything."""
        return [row for row in self.attempts if row["state"] in {"sent", "unknown"}]

    @property
    def pages(self) -> list[Row]:
        """Open payment pages."""
        return [row for row in self.live if row["checkout_url"] is not None]

    @property
    def chargeable(self) -> list[Row]:
        """Payments that a payer's bank may take back: nothing of them was given back before."""
        given_back = {row["attempt_id"] for row in self.refunds}
        return [
            row
            for row in self.attempts
            if row["state"] == "succeeded"
            and row["provider"] in CHARGED_BACK_BY
            and row["id"] not in given_back
        ]

    @property
    def paid(self) -> list[Row]:
        """Bills that took money and still hold some."""
        return [row for row in self.bills if row["state"] == "paid" and row["total_minor"]]

    @property
    def owed(self) -> list[Row]:
        """Bills of cars that have left unpaid."""
        return [row for row in self.bills if row["state"] == "owed"]

    @property
    def refunds_live(self) -> list[Row]:
        """Refunds whose outcome is not certain."""
        return [row for row in self.refunds if row["state"] in LIVE]

    @property
    def refunds_failed(self) -> list[Row]:
        """Refunds that staff may send again."""
        return [row for row in self.refunds if row["state"] == "failed"]

    def mandates_of(self, driver_id: UUID | None) -> list[Row]:
        """Return a driver's mandates."""
        return [row for row in self.mandates if row["driver_id"] == driver_id]


async def look(town: Town) -> Look:
    """Look at everything, in one transaction."""
    found = await town.rows_of(_INSIDE, _ATTEMPTS, _BILLS, _STANDING, _MANDATES, _REFUNDS)
    return Look(*found)
