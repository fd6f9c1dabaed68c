"""The GoCardless adapter against its stand-in: days pass by control."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from parking.kit.clock import Clock
from parking.payments.port import ChargeResult, PaymentProvider, SentOrder
from parking.payments.providers.gocardless import GoCardlessProvider, GoCardlessSettings
from tests.contract.payment_stages import Delivery, StandInStage
from tests.contract.running import Running, on_stage, running
from tests.factories import stand_ins

HEADER = "webhook-signature"
SETTLING_DAYS = 3
LACKS = frozenset(
    {
        "checkout",
        "signed_answers",
        "early_close",
        "guarantee",
        "dated_notices",
        "named_keys",
        "instant",
        "whole_notices",
        "same_page",
        "end_times",
    }
)


RunningGoCardless = Running[GoCardlessSettings]


@dataclass(slots=True)
class GoCardlessStage(StandInStage):
    """The GoCardless adapter; time passes when something is to settle."""

    settings: GoCardlessSettings = field(kw_only=True)
    lacks: frozenset[str] = LACKS

    def make_provider(self, clock: Clock) -> PaymentProvider:
        """Return an adapter that knows the stand-in."""
        return GoCardlessProvider(self.settings, clock)

    async def open(self, notice_url: str) -> None:
        """End here what other tests left under way, and not among what this test counts."""
        await StandInStage.open(self, notice_url)
        await self.pass_days()

    async def pass_days(self, count: int = SETTLING_DAYS) -> None:
        """Let working days pass."""
        await self.control(days={"count": count})

    async def until_settled(self, order: SentOrder) -> ChargeResult:
        """See `Stage.until_settled`."""
        await self.pass_days()
        return await self.provider.query(order)

    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_bad_signature`."""
        signature = delivery.headers[HEADER]
        return {**delivery.headers, HEADER: ("1" if signature[0] == "0" else "0") + signature[1:]}


@pytest.fixture(scope="session")
def gocardless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGoCardless]:
    """A running stand-in."""
    with running(tmp_path_factory.mktemp("gocardless"), stand_ins.gocardless) as stand_in:
        yield stand_in


@pytest.fixture
async def gocardless_stage(gocardless: RunningGoCardless) -> AsyncIterator[GoCardlessStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with on_stage(GoCardlessStage, gocardless) as stage:
        yield stage
