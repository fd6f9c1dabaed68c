"""Everything that a call of a stand-in needs."""

from dataclasses import dataclass

from sesame.sandbox.platform.agreements import AgreementBook
from sesame.sandbox.platform.ahead import AheadClock
from sesame.sandbox.platform.chargebacks import ChargebackBook
from sesame.sandbox.platform.courier import Delivery, Wakes
from sesame.sandbox.platform.notices import NoticeBook
from sesame.sandbox.platform.orders import OrderBook
from sesame.sandbox.platform.scenarios import Operation, Script
from sesame.sandbox.platform.store import Store
from sesame.sandbox.platform.turns import Turn


@dataclass(slots=True)
class Platform:
    """The books, the rules, and where things go.

    Attributes:
        is_day_closed: Whether today's settlement can be had today; the control sets it.
    """

    store: Store
    clock: AheadClock
    notices: NoticeBook
    agreements: AgreementBook
    orders: OrderBook
    chargebacks: ChargebackBook
    script: Script
    delivery: Delivery
    wakes: Wakes
    public_url: str
    title: str
    is_day_closed: bool = False

    def now_ms(self) -> int:
        """Return the platform's time."""
        return int(self.clock.now().timestamp() * 1000)

    def turn(self, operation: Operation, agreement: str | None = None) -> Turn:
        """Return what the call plays; a `next` rule is spent, and orders that are due end."""
        turn = Turn(self.script.take(operation, agreement))
        if not turn.is_lost_before:
            self.orders.settle_due()
        return turn

    def poke(self) -> None:
        """Something changed: notices may be due."""
        self.wakes.poke()
