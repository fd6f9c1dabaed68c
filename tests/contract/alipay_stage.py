"""The Alipay adapter against its stand-in over HTTP, and the strings behind it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from parking.kit.clock import Clock, SystemClock
from parking.payments.port import AgreementStarted, Checkout
from parking.payments.providers.alipay import AlipayProvider, AlipaySettings
from sesame.sandbox.alipay import Options, StandIn, create_stand_in
from sesame.sandbox.alipay.signing import new_private_pem, public_pem
from tests.contract.http_server import listener, serving, url_of
from tests.contract.payment_stages import Delivery, NoticeReceiver, StandInStage

APP_ID = "2021000000000001"
SELLER_ID = "2088000000000002"
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


@dataclass(frozen=True, slots=True)
class RunningAlipay:
    """The stand-in of this run, and where it posts its notices."""

    settings: AlipaySettings
    stand_in: StandIn
    receiver: NoticeReceiver
    url: str


@dataclass(slots=True)
class AlipayStage(StandInStage):
    """The Alipay adapter against its stand-in."""

    settings: AlipaySettings = field(kw_only=True)
    lacks: frozenset[str] = LACKS

    def make_provider(self, clock: Clock) -> AlipayProvider:
        """Return an adapter that knows the stand-in."""
        return AlipayProvider(self.settings, clock)

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
    app_key = new_private_pem()
    gateway_socket, merchant_socket = listener(), listener()
    url = url_of(gateway_socket)
    stand_in = create_stand_in(
        Options(
            data=Path(tmp_path_factory.mktemp("alipay")) / "books.sqlite",
            app_key_pem=public_pem(app_key).encode(),
            public_url=url,
            app_id=APP_ID,
            seller_id=SELLER_ID,
        ),
        SystemClock(),
    )
    settings = AlipaySettings(
        app_id=APP_ID,
        seller_id=SELLER_ID,
        app_key_pem=app_key.decode(),
        alipay_public_keys_pem=stand_in.public_keys_pem,
        notify_url=f"{url_of(merchant_socket)}/notices",
        gateway_url=f"{url}/gateway.do",
    )
    receiver = NoticeReceiver()
    with serving(stand_in.app, gateway_socket), serving(receiver.app, merchant_socket):
        yield RunningAlipay(settings, stand_in, receiver, url)


@pytest.fixture
async def alipay_stage(alipay: RunningAlipay) -> AsyncIterator[AlipayStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        stage = AlipayStage(alipay.url, alipay.receiver, client, settings=alipay.settings)
        # Every order says itself where its notices go, as Alipay has it.
        await stage.open("http://127.0.0.1:9/nowhere")
        yield stage
        await stage.aclose()
