"""The WeChat Pay adapter against its stand-in over HTTP."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from parking.kit.clock import Clock, SystemClock
from parking.payments.port import AgreementStarted, PaymentProvider
from parking.payments.providers.wechat import OfficialAccount, WechatProvider, WechatSettings
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from sesame.sandbox.wechat import Account, Options, StandIn, create_stand_in, new_api_key
from tests.contract.http_server import listener, serving, url_of
from tests.contract.payment_stages import Delivery, NoticeReceiver, StandInStage

MERCHANT = "1900000109"
SUB_MERCHANT = "1900000110"
APP = "wxcbda96de0b165486"
ACCOUNT_APP, ACCOUNT_SECRET = "wx8397f8696b538317", "7813490da6f1265e4901ffb80afaa36f"
PAGE_HOST = "api.parkside.example"
SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"


@dataclass(frozen=True, slots=True)
class RunningWechat:
    """The stand-in of this run, and where it posts its notices."""

    settings: WechatSettings
    stand_in: StandIn
    receiver: NoticeReceiver
    notice_url: str


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


def run_wechat(folder: Path, sub_merchant: str | None = None) -> Iterator[RunningWechat]:
    """Serve a stand-in with a merchant that it knows."""
    merchant_key, api_key = new_private_pem(), new_api_key()
    platform_socket, merchant_socket = listener(), listener()
    url, notice_url = url_of(platform_socket), f"{url_of(merchant_socket)}/notices"
    options = Options(
        data=folder / "books.sqlite",
        merchant=MERCHANT,
        sub_merchant=sub_merchant,
        merchant_keys_pem={SERIAL: public_pem(merchant_key).encode()},
        api_key=api_key,
        public_url=url,
        account=Account(app=ACCOUNT_APP, secret=ACCOUNT_SECRET, page_host=PAGE_HOST),
        page_host=PAGE_HOST,
        notice_retry_ms=20,
    )
    stand_in = create_stand_in(options, SystemClock())
    settings = WechatSettings(
        base_url=url,
        merchant=MERCHANT,
        sub_merchant=sub_merchant,
        app=APP,
        key_pem=merchant_key.decode(),
        key_serial=SERIAL,
        api_key=api_key,
        platform_keys_pem=stand_in.platform_keys_pem,
        service_url=stand_in.service_url,
        notice_url=notice_url,
        account=OfficialAccount(app=ACCOUNT_APP, secret=ACCOUNT_SECRET, page_url=url, api_url=url),
    )
    receiver = NoticeReceiver()
    with serving(stand_in.app, platform_socket), serving(receiver.app, merchant_socket):
        yield RunningWechat(settings, stand_in, receiver, notice_url)


async def stage_of(running: RunningWechat) -> AsyncIterator[WechatStage]:
    """Put the adapter against a stand-in that behaves well and knows no services."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        stage = WechatStage(
            running.settings.base_url, running.receiver, client, settings=running.settings
        )
        await stage.open(running.notice_url)
        await stage.control(service={"state": "forgotten"})
        yield stage
        await stage.aclose()


@pytest.fixture(scope="session")
def wechat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWechat]:
    """A running stand-in for a merchant of its own."""
    yield from run_wechat(tmp_path_factory.mktemp("wechat"))


@pytest.fixture
async def wechat_stage(wechat: RunningWechat) -> AsyncIterator[WechatStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async for stage in stage_of(wechat):
        yield stage
