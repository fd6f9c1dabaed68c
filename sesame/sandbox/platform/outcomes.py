"""How an order turns out under a rule."""

from dataclasses import dataclass, field

from sesame.sandbox.platform.scenarios import Rule, Scenario
from sesame.sandbox.platform.store import Json

PAGE_LIFETIME_MS = 30 * 60 * 1000
NORMAL = "normal"
PROBE = "probe"
STALE = "stale"
HELD = "held"

# How one notice is delivered, where it is not simply sent until it is taken.
DELIVERIES: dict[str, list[str]] = {
    Scenario.NO_NOTICE: [],
    Scenario.DUPLICATE_NOTICE: [NORMAL, NORMAL],
    Scenario.BAD_SIGNATURE_PROBE: [PROBE, NORMAL],
    Scenario.STALE_NOTICE: [STALE],
    Scenario.REORDERED_NOTICE: [HELD],
}
_MANNERS = {*DELIVERIES, Scenario.WRONG_AMOUNT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a new order turns out.

    Attributes:
        status: What it is at once.
        due_after_ms: When it turns into `due_status`; `None` for never.
        manner: How its notice is delivered.
        extra: Joins the order's own.
    """

    status: str = "succeeded"
    failure_code: str | None = None
    guaranteed: bool = False
    due_after_ms: int | None = None
    due_status: str | None = None
    due_failure_code: str | None = None
    manner: str = NORMAL
    extra: Json = field(default_factory=dict[str, object])


def unpaid_checkout(manner: str) -> Outcome:
    """Return how a payment page turns out where nobody pays."""
    return Outcome(
        status="accepted",
        due_after_ms=PAGE_LIFETIME_MS,
        due_status="failed",
        due_failure_code="expired",
        manner=manner,
    )


def manner_of(rule: Rule | None) -> str:
    """Return how notices are delivered under a rule."""
    return rule.scenario if rule and rule.scenario in _MANNERS else NORMAL


def outcome_of(rule: Rule | None) -> Outcome:
    """Return how an order turns out under a rule."""
    delay_ms = rule.delay_ms if rule else 0
    failure_code = (rule.failure_code if rule else None) or "declined"
    match rule and rule.scenario:
        case Scenario.DECLINE:
            return Outcome(status="failed", failure_code=failure_code)
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
                due_failure_code=failure_code,
            )
        case Scenario.ADVANCE:
            return Outcome(extra={"advance": "outstanding"})
        case _:
            return Outcome(manner=manner_of(rule))
