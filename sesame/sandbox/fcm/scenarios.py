"""How the stand-in fails, on demand."""

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

RETRY_AFTER_S: Final = 30
SLOW_S: Final = 30.0
RULES_MAX: Final = 100
TARGETS_MAX: Final = 10_000
_ERROR_TYPE: Final = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


class Scenario(StrEnum):
    """A way to fail: a target that begins with its name and `-` meets it."""

    UNREGISTERED = "unregistered"
    MISMATCH = "mismatch"
    INVALID = "invalid"
    QUOTA = "quota"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
    RESET = "reset"
    SLOW = "slow"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Answer:
    """An error as FCM words it."""

    status_code: int
    status: str
    error_code: str | None = None

    def body(self, text: str) -> dict[str, Any]:
        """Return the body."""
        error: dict[str, Any] = {
            "code": self.status_code,
            "message": text,
            "status": self.status,
        }
        if self.error_code:
            error["details"] = [{"@type": _ERROR_TYPE, "errorCode": self.error_code}]
        return {"error": error}


INVALID_ARGUMENT: Final = Answer(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")
UNAUTHENTICATED: Final = Answer(401, "UNAUTHENTICATED")
ANSWERS: Final = {
    Scenario.UNREGISTERED: Answer(404, "NOT_FOUND", "UNREGISTERED"),
    Scenario.MISMATCH: Answer(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
    Scenario.INVALID: INVALID_ARGUMENT,
    Scenario.QUOTA: Answer(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
    Scenario.UNAVAILABLE: Answer(503, "UNAVAILABLE", "UNAVAILABLE"),
    Scenario.INTERNAL: Answer(500, "INTERNAL", "INTERNAL"),
}
WITH_RETRY_AFTER: Final = frozenset({Scenario.QUOTA, Scenario.UNAVAILABLE})


class Rule(BaseModel):
    """Make the next messages fail.

    Attributes:
        count: How many.
        target_prefix: Only those to targets that begin so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: Scenario
    count: Annotated[int, Field(ge=1, le=100_000)] = 1
    target_prefix: str = ""
    retry_after_s: Annotated[int, Field(ge=0, le=3600)] = RETRY_AFTER_S


class Command(BaseModel):
    """Drop all rules, or every access token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clear: Literal[True] | None = None
    revoke_tokens: Literal[True] | None = None


@dataclass(slots=True)
class _Running:
    rule: Rule
    left: int


class Script:
    """What to do with each message."""

    def __init__(self) -> None:
        self._rules: list[_Running] = []
        self._tries: Counter[str] = Counter()

    def add(self, rule: Rule) -> None:
        """Add a rule; older ones go first.

        Raises:
            ValueError: there are RULES_MAX rules.
        """
        if len(self._rules) >= RULES_MAX:
            raise ValueError(f"rules: at most {RULES_MAX}")
        self._rules.append(_Running(rule, rule.count))

    def clear(self) -> None:
        """Behave well again."""
        self._rules.clear()

    def next(self, target: str) -> Rule | None:
        """Return how the message to `target` fails; `None` if it is taken."""
        self._tries[target] += 1
        if len(self._tries) > TARGETS_MAX:
            del self._tries[next(iter(self._tries))]
        for running in self._rules:
            if target.startswith(running.rule.target_prefix):
                running.left -= 1
                if running.left == 0:
                    self._rules.remove(running)
                return running.rule
        return self._by_prefix(target)

    def _by_prefix(self, target: str) -> Rule | None:
        name = target.partition("-")[0]
        flaky = re.fullmatch(r"flaky(\d{1,3})", name)
        if flaky and self._tries[target] <= int(flaky[1]):
            return Rule(scenario=Scenario.UNAVAILABLE, retry_after_s=0)
        return Rule(scenario=Scenario(name)) if name in set(Scenario) else None
