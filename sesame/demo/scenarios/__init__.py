"""What the demo plays; each module is one scenario."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sesame.demo.scenarios import (
    bound,
    commuter,
    contested,
    declined,
    frozen,
    lost_answer,
    misread,
    on_credit,
    own_devices,
    partner,
    temporary,
    two_accounts,
)
from sesame.demo.scenarios.act import Act, ScenarioFailedError, StepListener
from sesame.demo.scenarios.stage import Stage

__all__ = ["SCENARIOS", "Act", "Scenario", "ScenarioFailedError", "Stage", "StepListener"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario; `name` is stable."""

    name: str
    title: str
    play: Callable[[Stage, Act], Awaitable[None]]


SCENARIOS: Final = (
    Scenario("bound_driver", "Bound driver in and out", bound.play),
    Scenario("temporary_user", "Temporary user pays by QR, chosen", temporary.play),
    Scenario("two_accounts", "First account declines, second pays", two_accounts.play),
    Scenario("declined_payment", "Declined, QR by card, chargeback", declined.play),
    Scenario("lost_answer", "Answer lost after the money moved", lost_answer.play),
    Scenario("pay_later", "Out on credit, bank debit afterwards", on_credit.play),
    Scenario("partner_place", "Owed here, paid at a partner's", partner.play),
    Scenario("misread_plate", "Misread plate finds its stay", misread.play),
    Scenario("pass_holder", "Monthly pass, and its invoice", commuter.play),
    Scenario("contested_bill", "Bill proven, contested, refunded", contested.play),
    Scenario("frozen_gate", "Gate frozen while it opens", frozen.play),
    Scenario("own_devices", "Camera and relay, network away", own_devices.play),
)
