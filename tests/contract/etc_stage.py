"""The ETC adapter against its stand-in, for the contract suite and for tests of its own."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from parking.kit.clock import Clock, SystemClock
from parking.payments.port import PaymentProvider
from parking.payments.providers.etc import EtcProvider
from parking.payments.signed_wire import SignedWireSettings
from sesame.sandbox.etc import EtcOptions, create_etc_stand_in
from sesame.sandbox.etc.signing import etc_public_pem, new_etc_private_pem
from tests.contract.http_server import listener, serving, url_of
from tests.contract.payment_stages import Delivery, NoticeReceiver, StandInStage

MERCHANT = "parkside"
HEADER = "sesame-etc-signature"


@dataclass(frozen=True, slots=True)
class RunningEtc:
    """The stand-in of this run, and where it posts its notices."""

    settings: SignedWireSettings
    receiver: NoticeReceiver
    notice_url: str


@dataclass(slots=True)
class EtcStage(StandInStage):
    """The ETC adapter, under antennas that see everything until told otherwise."""

    settings: SignedWireSettings = field(kw_only=True)
    lacks: frozenset[str] = frozenset({"checkout"})

    def make_provider(self, clock: Clock) -> PaymentProvider:
        """Return an adapter that knows the stand-in."""
        return EtcProvider(self.settings, clock)

    def with_bad_signature(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_bad_signature`."""
        header = delivery.headers[HEADER]
        start = header.index("signature=") + len("signature=")
        other = "B" if header[start] == "A" else "A"
        return {**delivery.headers, HEADER: header[:start] + other + header[start + 1 :]}

    def with_unknown_key(self, delivery: Delivery) -> dict[str, str]:
        """See `Stage.with_unknown_key`."""
        header = delivery.headers[HEADER]
        start = header.index("key=") + len("key=")
        return {**delivery.headers, HEADER: header[:start] + "0" * 16 + header[start + 16 :]}


@pytest.fixture(scope="session")
def etc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEtc]:
    """A running stand-in with a merchant that it knows."""
    merchant_key = new_etc_private_pem()
    platform_socket, merchant_socket = listener(), listener()
    url = url_of(platform_socket)
    options = EtcOptions(
        data=Path(tmp_path_factory.mktemp("etc")) / "books.sqlite",
        merchant=MERCHANT,
        merchant_keys_pem=(etc_public_pem(merchant_key).encode(),),
        public_url=url,
    )
    stand_in = create_etc_stand_in(options, SystemClock())
    settings = SignedWireSettings(
        base_url=url,
        merchant=MERCHANT,
        merchant_key_pem=merchant_key.decode(),
        platform_keys_pem=stand_in.platform_keys_pem,
    )
    receiver = NoticeReceiver()
    with serving(stand_in.app, platform_socket), serving(receiver.app, merchant_socket):
        yield RunningEtc(settings, receiver, f"{url_of(merchant_socket)}/notices")


@pytest.fixture
async def etc_stage(etc: RunningEtc) -> AsyncIterator[EtcStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        stage = EtcStage(etc.settings.base_url, etc.receiver, client, settings=etc.settings)
        await stage.open(etc.notice_url)
        await stage.control(antenna={"id": "*", "sees": ["*"]})
        yield stage
        await stage.aclose()
