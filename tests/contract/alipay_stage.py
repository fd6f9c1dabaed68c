"""The Alipay adapter against its stand-in over HTTP, and the strings behind it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from parking.kit.clock import Clock
from parking.payments.port import AgreementStarted, Checkout
from parking.payments.providers.alipay import AlipayProvider, AlipaySettings
from tests.contract.payment_stages import Delivery, StandInStage
from tests.contract.running import Running, on_stage, running
from tests.factories import stand_ins

# Alipay knows agreements and pages only once the payer has used them, forgets ended agreements and
# declines, tells of no failure, and puts its signature, without a key's name or a time, in a form.
LACKS = frozenset(
    {
        "charge.failed",
        "dated_notices",
        "decline_memory",
        "ended_agreements",
        "guarantee",
        "named_keys",
        "pending_agreements",
        "refund.succeeded",
        "served_pages",
        "signature_headers",
    }
)


RunningAlipay = Running[AlipaySettings]


@dataclass(slots=True)
class AlipayStage(StandInStage):
    """The Alipay adapter against its stand-in."""

    settings: AlipaySettings = field(kw_only=True)
    lacks: frozenset[str] = LACKS

    def make_provider(self, clock: Clock) -> AlipayProvider:
        """Return an adapter that knows the stand-in."""
        return AlipayProvider(self.settings, clock)

    async def open(self, notice_url: str) -> None:
        """Let every order say itself where its notices go, as Alipay has it."""
        del notice_url
        await StandInStage.open(self, "http://127.0.0.1:9/nowhere")

    async def told(self) -> list[dict[str, str]]:
        """Return what the parking service has heard."""
        return (await self.client.get(f"{self.base_url}/_parking")).json()["told"]

    async def confirm(self, started: AgreementStarted) -> None:
        """Follow the signed address, and sign there."""
        opened = await self.client.get(started.confirmation_url)
        page = opened.headers["Location"]
        assert '<form method="post">' in (await self.client.get(page)).text
        assert (await self.client.post(page)).status_code == 303

    async def pay(self, number: str, checkout: Checkout) -> int:
        """Follow the signed address, and pay there."""
        del number
        opened = await self.client.get(checkout.url)
        if opened.status_code != 303:
            return opened.status_code
        return (await self.client.post(opened.headers["Location"])).status_code

    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        """See `LACKS`: the signature is in the body."""
        raise NotImplementedError


@pytest.fixture(scope="session")
def alipay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAlipay]:
    """A running stand-in with an application that it knows."""
    with running(tmp_path_factory.mktemp("alipay"), stand_ins.alipay) as stand_in:
        yield stand_in


@pytest.fixture
async def alipay_stage(alipay: RunningAlipay) -> AsyncIterator[AlipayStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with on_stage(AlipayStage, alipay) as stage:
        yield stage
