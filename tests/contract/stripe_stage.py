"""The Stripe adapter against its stand-in over HTTP, and the strings behind it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from parking.kit.clock import Clock, SystemClock
from parking.payments.providers.stripe import StripeProvider, StripeSettings
from sesame.sandbox.stripe import StripeOptions, create_stripe_stand_in
from tests.contract.http_server import listener, serving, url_of
from tests.contract.payment_stages import Delivery, NoticeReceiver, StandInStage

SECRET_KEY = "sk_test_parkside"
WEBHOOK_SECRETS = ("whsec_parkside_new", "whsec_parkside_old")
# A card is charged or declined on the spot, and webhook secrets have no names.
LACKS = frozenset({"guarantee", "named_keys"})


@dataclass(frozen=True, slots=True)
class RunningStripe:
    """The stand-in of this run, and where it posts its events."""

    settings: StripeSettings
    receiver: NoticeReceiver
    notice_url: str


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
    platform_socket, merchant_socket = listener(), listener()
    url = url_of(platform_socket)
    app = create_stripe_stand_in(
        StripeOptions(
            data=Path(tmp_path_factory.mktemp("stripe")) / "books.sqlite",
            secret_key=SECRET_KEY,
            webhook_secrets=WEBHOOK_SECRETS,
            public_url=url,
        ),
        SystemClock(),
    )
    settings = StripeSettings(secret_key=SECRET_KEY, webhook_secrets=WEBHOOK_SECRETS, base_url=url)
    receiver = NoticeReceiver()
    with serving(app, platform_socket), serving(receiver.app, merchant_socket):
        yield RunningStripe(settings, receiver, f"{url_of(merchant_socket)}/notices")


@pytest.fixture
async def stripe_stage(stripe: RunningStripe) -> AsyncIterator[StripeStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        stage = StripeStage(
            stripe.settings.base_url, stripe.receiver, client, settings=stripe.settings
        )
        await stage.open(stripe.notice_url)
        yield stage
        await stage.aclose()
