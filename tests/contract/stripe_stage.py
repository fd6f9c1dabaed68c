"""The Stripe adapter against its stand-in over HTTP, and the strings behind it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from parking.kit.clock import Clock
from parking.payments.providers.stripe import StripeProvider, StripeSettings
from tests.contract.payment_stages import Delivery, StandInStage
from tests.contract.running import Running, on_stage, running
from tests.factories import stand_ins

# A card is charged or declined on the spot, and webhook secrets have no names.
LACKS = frozenset({"guarantee", "named_keys"})


RunningStripe = Running[StripeSettings]


@dataclass(slots=True)
class StripeStage(StandInStage):
    """The Stripe adapter against its stand-in."""

    settings: StripeSettings = field(kw_only=True)
    lacks: frozenset[str] = LACKS

    def make_provider(self, clock: Clock) -> StripeProvider:
        """Return an adapter that knows the stand-in."""
        return StripeProvider(self.settings, clock)

    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_bad_signature`."""
        header = delivery.headers["stripe-signature"]
        start = header.index("v1=") + len("v1=")
        other = "b" if header[start] == "a" else "a"
        return {
            **delivery.headers,
            "stripe-signature": header[:start] + other + header[start + 1 :],
        }


@pytest.fixture(scope="session")
def stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStripe]:
    """A running stand-in with an account that it knows."""
    with running(tmp_path_factory.mktemp("stripe"), stand_ins.stripe) as stand_in:
        yield stand_in


@pytest.fixture
async def stripe_stage(stripe: RunningStripe) -> AsyncIterator[StripeStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with on_stage(StripeStage, stripe) as stage:
        yield stage
