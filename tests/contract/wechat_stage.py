"""The WeChat Pay adapter against its stand-in over HTTP."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from parking.kit.clock import Clock, SystemClock
from parking.payments.port import AgreementStarted, PaymentProvider
from parking.payments.providers.wechat import WechatProvider, WechatSettings
from tests.contract.payment_stages import Delivery, StandInStage
from tests.contract.running import Running, on_stage, running
from tests.factories import stand_ins

SUB_MERCHANT = "1900000110"

RunningWechat = Running[WechatSettings]


@dataclass(slots=True)
class WechatStage(StandInStage):
    """See `tests.contract.payment_stages.Stage`.

    An agreement is one service for payer and plate, which only the payer opens and closes, and a
    charge cannot be closed.
    """

    settings: WechatSettings = field(kw_only=True)
    lacks: frozenset[str] = frozenset({"agreement_calls", "cancelling", "closing", "early_close"})

    def make_provider(self, clock: Clock) -> PaymentProvider:
        """Return an adapter that knows the stand-in."""
        return WechatProvider(self.settings, clock)

    async def open(self, notice_url: str) -> None:
        """Start from a stand-in that knows no services."""
        await StandInStage.open(self, notice_url)
        await self.control(service={"state": "forgotten"})

    async def play(self, scenario: str, *, operation: str = "charge") -> None:
        """See `Stage.play`; a guarantee is a contract, which the wire does not show."""
        if scenario == "accept_guaranteed":
            self._others.append(self.provider)
            self.settings = replace(self.settings, is_advance_funded=True)
            self.provider = self.make_provider(SystemClock())
        await self.control(scenario=scenario, operation=operation, delay_ms=100)

    async def confirm(self, started: AgreementStarted) -> None:
        """See `Stage.confirm`; the payer may have opened the plate's service before."""
        page = await self.client.get(started.confirmation_url)
        if "The service is open" not in page.text:
            assert '<form method="post">' in page.text
            answer = await self.client.post(started.confirmation_url)
            assert answer.status_code == 303

    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_bad_signature`."""
        signature = delivery.headers["wechatpay-signature"]
        other = "B" if signature[0] == "A" else "A"
        return {**delivery.headers, "wechatpay-signature": other + signature[1:]}

    def with_unknown_key(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_unknown_key`."""
        return {**delivery.headers, "wechatpay-serial": "PUB_KEY_ID_0999"}


@pytest.fixture(scope="session")
def wechat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWechat]:
    """A running stand-in for a merchant of its own."""
    with running(tmp_path_factory.mktemp("wechat"), stand_ins.wechat) as stand_in:
        yield stand_in


@pytest.fixture
async def wechat_stage(wechat: RunningWechat) -> AsyncIterator[WechatStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with on_stage(WechatStage, wechat) as stage:
        yield stage


@pytest.fixture(scope="session")
def partner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWechat]:
    """A running stand-in for a service provider that acts for another merchant."""
    build = partial(stand_ins.wechat, sub_merchant=SUB_MERCHANT)
    with running(tmp_path_factory.mktemp("partner"), build) as stand_in:
        yield stand_in


@pytest.fixture
async def partner_stage(partner: RunningWechat) -> AsyncIterator[WechatStage]:
    """The service provider's adapter against its stand-in."""
    async with on_stage(WechatStage, partner) as stage:
        yield stage
