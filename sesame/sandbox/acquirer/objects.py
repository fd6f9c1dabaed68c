"""What the stand-in shows: part 4 of docs/acquirer-wire.md, and how an order turns out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sesame.sandbox.acquirer.scenarios import Rule, Scenario

_MANNERS = {
    Scenario.WRONG_AMOUNT,
    Scenario.DUPLICATE_NOTICE,
    Scenario.BAD_SIGNATURE_PROBE,
    Scenario.STALE_NOTICE,
    Scenario.NO_NOTICE,
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a new order turns out.

    Attributes:
        status: What it is at once.
        due_after_ms: When it turns into `due_status`; `None` for never.
        manner: How its notice is delivered.
    """

    status: str = "succeeded"
    failure_code: str | None = None
    guaranteed: bool = False
    due_after_ms: int | None = None
    due_status: str | None = None
    due_failure_code: str | None = None
    manner: str = "normal"


def manner_of(rule: Rule | None) -> str:
    """Return how notices are delivered under a rule."""
    return rule.scenario if rule and rule.scenario in _MANNERS else "normal"


def outcome_of(rule: Rule | None) -> Outcome:
    """Return how an order turns out under a rule."""
    delay_ms = rule.delay_ms if rule else 0
    match rule and rule.scenario:
        case Scenario.DECLINE:
            return Outcome(status="failed", failure_code="declined")
        case Scenario.ACCEPT | Scenario.UNKNOWN:
            return Outcome(status="accepted", due_after_ms=delay_ms, due_status="succeeded")
        case Scenario.ACCEPT_GUARANTEED:
            return Outcome(
                status="accepted", guaranteed=True, due_after_ms=delay_ms, due_status="succeeded"
            )
        case Scenario.ACCEPT_THEN_DECLINE:
            return Outcome(
                status="accepted",
                due_after_ms=delay_ms,
                due_status="failed",
                due_failure_code="declined",
            )
        case _:
            return Outcome(manner=manner_of(rule))


def agreement_json(row: Json) -> Json:
    """Return an agreement as part 4 of the wire shows it."""
    return {
        "reference": row["reference"],
        "status": row["status"],
        "payer_hint": row["payer_hint"],
        "signed_at": instant(row["signed_ms"]),
        "cancelled_at": instant(row["cancelled_ms"]),
    }


def order_json(row: Json) -> Json:
    """Return an order or a refund as part 4 of the wire shows it."""
    shown = {
        "number": row["number"],
        "status": row["status"],
        "failure_code": row["failure_code"],
        "reference": row["reference"],
        "amount_minor": row["amount_minor"],
        "currency": row["currency"],
    }
    if row["space"] == "refund":
        return {**shown, "charge": row["parent"]}
    return {**shown, "kind": row["kind"], "guaranteed": bool(row["guaranteed"])}


def instant(milliseconds: int | None) -> str | None:
    """Return a time as the wire writes it."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z")
