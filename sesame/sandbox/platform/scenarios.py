"""What a stand-in plays on demand, and when."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

RULES_MAX = 1000
DELAY_MS_MAX = 60_000
FAILURE_CODE_LENGTH_MAX = 64


class Scenario(StrEnum):
    """One way in which a payment platform can behave."""

    # The order, or the refund, ends as failed: `failure_code`, or else `declined`.
    DECLINE = "decline"
    # The order is accepted and succeeds after `delay_ms`.
    ACCEPT = "accept"
    ACCEPT_GUARANTEED = "accept_guaranteed"
    # The order is accepted and fails after `delay_ms`.
    ACCEPT_THEN_DECLINE = "accept_then_decline"
    # The order succeeds with the platform's own money; `repay` says when the payer gave it back.
    ADVANCE = "advance"
    # The order is carried out, the answer waits for `delay_ms`.
    DELAY = "delay"
    # The connection breaks before, or after, the call was carried out.
    LOSE_ANSWER_BEFORE = "lose_answer_before"
    LOSE_ANSWER_AFTER = "lose_answer_after"
    # The order is accepted and succeeds after `delay_ms`, the answer says that nobody knows.
    UNKNOWN = "unknown"
    # The answer and the notice name one minor unit too much; books and queries are right.
    WRONG_AMOUNT = "wrong_amount"
    BAD_ANSWER_SIGNATURE = "bad_answer_signature"
    # The notice comes twice; after one with a wrong signature; first with an old timestamp; never.
    DUPLICATE_NOTICE = "duplicate_notice"
    BAD_SIGNATURE_PROBE = "bad_signature_probe"
    STALE_NOTICE = "stale_notice"
    NO_NOTICE = "no_notice"
    # The notice waits until a later one was delivered, or for `courier.HOLD_MS`.
    REORDERED_NOTICE = "reordered_notice"
    # The settlement file leaves out a row; has one too many; has a row with another amount.
    SETTLEMENT_MISSING_ROW = "settlement_missing_row"
    SETTLEMENT_EXTRA_ROW = "settlement_extra_row"
    SETTLEMENT_OTHER_AMOUNT = "settlement_other_amount"


SETTLEMENT_SCENARIOS = frozenset(
    {
        Scenario.SETTLEMENT_MISSING_ROW,
        Scenario.SETTLEMENT_EXTRA_ROW,
        Scenario.SETTLEMENT_OTHER_AMOUNT,
    }
)


class Operation(StrEnum):
    """Which calls a rule concerns."""

    AGREEMENT = "agreement"
    CANCEL = "cancel"
    ENTRY = "entry"
    CHARGE = "charge"
    CHECKOUT = "checkout"
    CLOSE = "close"
    REFUND = "refund"
    QUERY = "query"
    SETTLEMENT = "settlement"


class Matching(StrEnum):
    """Which of them."""

    NEXT = "next"
    AGREEMENT = "agreement"
    ALWAYS = "always"


class Rule(BaseModel):
    """Play `scenario` for some calls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: Scenario
    matching: Matching = Matching.NEXT
    operation: Operation = Operation.CHARGE
    agreement: str | None = None
    delay_ms: Annotated[int, Field(ge=0, le=DELAY_MS_MAX)] = 500
    failure_code: Annotated[str, Field(min_length=1, max_length=FAILURE_CODE_LENGTH_MAX)] | None = (
        None
    )

    @model_validator(mode="after")
    def _agreement_is_named(self) -> "Rule":
        if (self.matching is Matching.AGREEMENT) != (self.agreement is not None):
            raise ValueError("agreement: expected with matching=agreement, and only then")
        return self

    @model_validator(mode="after")
    def _differences_are_for_settlements(self) -> "Rule":
        differs = self.scenario in SETTLEMENT_SCENARIOS
        if differs and self.operation is not Operation.SETTLEMENT:
            raise ValueError("operation: expected settlement for this scenario")
        return self


class Script:
    """The rules in force; the first that matches plays."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        """Append a rule.

        Raises:
            ValueError: there are too many.
        """
        if len(self._rules) >= RULES_MAX:
            raise ValueError(f"rules: expected at most {RULES_MAX}")
        self._rules.append(rule)

    def clear(self) -> None:
        """Behave well again."""
        self._rules.clear()

    def rules(self) -> list[Rule]:
        """Return the rules in force."""
        return list(self._rules)

    def take(self, operation: Operation, agreement: str | None) -> Rule | None:
        """Return the rule for this call; a `next` rule is spent."""
        for rule in self._rules:
            # What a settlement file says differently is not how its call goes.
            if rule.scenario in SETTLEMENT_SCENARIOS:
                continue
            if rule.operation is operation and rule.agreement in {None, agreement}:
                return self._spend(rule)
        return None

    def take_differences(self) -> frozenset[Scenario]:
        """Return every difference that the settlement file shall have; `next` rules are spent."""
        rules = [rule for rule in self._rules if rule.scenario in SETTLEMENT_SCENARIOS]
        return frozenset(self._spend(rule).scenario for rule in rules)

    def _spend(self, rule: Rule) -> Rule:
        if rule.matching is Matching.NEXT:
            self._rules.remove(rule)
        return rule
