"""The GoCardless adapter against its stand-in: days pass by control."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from parking.kit.clock import Clock, SystemClock
from parking.payments.port import ChargeResult, PaymentProvider, SentOrder
from parking.payments.providers.gocardless import GoCardlessProvider, GoCardlessSettings
from sesame.sandbox.gocardless import GoCardlessOptions, create_gocardless_stand_in
from tests.contract.http_server import listener, serving, url_of
from tests.contract.payment_stages import Delivery, NoticeReceiver, StandInStage

TOKEN = "sandbox_of_these_tests"
SECRET = "the secret of these tests' events"
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


@dataclass(frozen=True, slots=True)
class RunningGoCardless:
    """The stand-in of this run, and where it posts its events."""

    settings: GoCardlessSettings
    receiver: NoticeReceiver
    notice_url: str


@dataclass(slots=True)
class GoCardlessStage(StandInStage):
    """The GoCardless adapter; time passes when something is to settle."""

    settings: GoCardlessSettings = field(kw_only=True)
    lacks: frozenset[str] = LACKS

    def make_provider(self, clock: Clock) -> PaymentProvider:
        """Return an adapter that knows the stand-in."""
        return GoCardlessProvider(self.settings, clock)

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
    platform_socket, merchant_socket = listener(), listener()
    url = url_of(platform_socket)
    options = GoCardlessOptions(
        data=Path(tmp_path_factory.mktemp("gocardless")) / "books.sqlite",
        access_token=TOKEN,
        webhook_secret=SECRET,
        public_url=url,
    )
    stand_in = create_gocardless_stand_in(options, SystemClock())
    settings = GoCardlessSettings(base_url=url, access_token=TOKEN, webhook_secret=SECRET)
    receiver = NoticeReceiver()
    with serving(stand_in.app, platform_socket), serving(receiver.app, merchant_socket):
        yield RunningGoCardless(settings, receiver, f"{url_of(merchant_socket)}/notices")


@pytest.fixture
async def gocardless_stage(gocardless: RunningGoCardless) -> AsyncIterator[GoCardlessStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        stage = GoCardlessStage(
            gocardless.settings.base_url,
            gocardless.receiver,
            client,
            settings=gocardless.settings,
        )
        await stage.open(gocardless.notice_url)
        # What other tests left under way ends here, and not among what this test counts.
        await stage.pass_days()
        yield stage
        await stage.aclose()
