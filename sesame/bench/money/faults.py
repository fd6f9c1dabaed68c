"""The plan of what breaks, and when: the same seed is the same plan."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Of the product, and of every provider.
PROCESSES: Final = ("api", "gates", "worker", "recognizer")
SCENARIOS: Final = (
    "decline",
    "accept",
    "accept_guaranteed",
    "accept_then_decline",
    "delay",
    "lose_answer_before",
    "lose_answer_after",
    "unknown",
    "wrong_amount",
    "bad_answer_signature",
    "duplicate_notice",
    "bad_signature_probe",
    "stale_notice",
    "no_notice",
    "reordered_notice",
)
OPERATIONS: Final = ("charge", "charge", "charge", "checkout", "query", "close")
DELAY_MS: Final = 400
# Nothing breaks while the last cars leave, so that the minute after the last fault is measured.
CALM_SHARE: Final = 0.03


class Kind(StrEnum):
    """What breaks."""

    KILL = "kill"
    PROVIDER = "provider"
    RESTART_DATABASE = "restart_database"
    FLUSH_VALKEY = "flush_valkey"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks.

    Attributes:
        after_exits: When so many cars are out.
        target: The process, or the provider.
        scenario: What the provider plays.
        operation: At which of its calls.
    """

    after_exits: int
    kind: Kind
    target: str = ""
    scenario: str = ""
    operation: str = ""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """How much breaks.

    Attributes:
        kills_each: How often each process is killed.
        provider_faults: In all.
    """

    exits: int
    providers: Sequence[str]
    seed: int
    kills_each: int
    provider_faults: int

    def faults(self) -> list[Fault]:
        """Return the plan, in the order of its cars."""
        dice = random.Random(self.seed)  # noqa: S311 - a plan, not a secret
        last = max(1, round(self.exits * (1 - CALM_SHARE)))
        found = [
            Fault(dice.randrange(last), Kind.KILL, target)
            for target in (*PROCESSES, *self.providers)
            for _ in range(self.kills_each)
        ]
        found += [
            Fault(
                dice.randrange(last),
                Kind.PROVIDER,
                dice.choice(self.providers),
                scenario,
                dice.choice(OPERATIONS),
            )
            for number in range(self.provider_faults)
            for scenario in [SCENARIOS[number % len(SCENARIOS)]]
        ]
        found.append(Fault(last // 2, Kind.RESTART_DATABASE))
        found.append(Fault(last // 3, Kind.FLUSH_VALKEY))
        return sorted(found, key=lambda fault: fault.after_exits)
