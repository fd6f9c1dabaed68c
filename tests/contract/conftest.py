"""The stand-ins that contract tests talk to: started once a run, on loopback."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from parking.kit.clock import SystemClock
from parking.payments.signed_wire import SignedWireSettings
from sesame.sandbox.acquirer import Options, StandIn, create_stand_in
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from tests.contract.alipay_stage import alipay, alipay_stage
from tests.contract.etc_stage import etc, etc_stage
from tests.contract.gocardless_stage import gocardless, gocardless_stage
from tests.contract.http_server import listener, serving, url_of
from tests.contract.payment_stages import AcquirerStage, FakeStage, NoticeReceiver, Stage
from tests.contract.stripe_stage import stripe, stripe_stage
from tests.contract.wechat_stage import wechat, wechat_stage
from tests.contract.wechat_wire import wechat_keys, wechat_wire

# The fixtures of each provider, beside its stage.
__all__ = [
    "alipay",
    "alipay_stage",
    "etc",
    "etc_stage",
    "gocardless",
    "gocardless_stage",
    "stripe",
    "stripe_stage",
    "wechat",
    "wechat_keys",
    "wechat_stage",
    "wechat_wire",
]

MERCHANT = "parkside"


@dataclass(frozen=True, slots=True)
class RunningAcquirer:
    """The stand-in of this run, and where it posts its notices."""

    settings: SignedWireSettings
    stand_in: StandIn
    receiver: NoticeReceiver
    notice_url: str


@pytest.fixture(scope="session")
def acquirer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAcquirer]:
    """A running stand-in acquirer with a merchant that it knows."""
    merchant_key = new_private_pem()
    platform_socket, merchant_socket = listener(), listener()
    url = url_of(platform_socket)
    options = Options(
        data=Path(tmp_path_factory.mktemp("acquirer")) / "books.sqlite",
        merchant=MERCHANT,
        merchant_keys_pem=(public_pem(merchant_key).encode(),),
        public_url=url,
    )
    stand_in = create_stand_in(options, SystemClock())
    settings = SignedWireSettings(
        base_url=url,
        merchant=MERCHANT,
        merchant_key_pem=merchant_key.decode(),
        platform_keys_pem=stand_in.platform_keys_pem,
    )
    receiver = NoticeReceiver()
    with serving(stand_in.app, platform_socket), serving(receiver.app, merchant_socket):
        notice_url = f"{url_of(merchant_socket)}/notices"
        yield RunningAcquirer(settings, stand_in, receiver, notice_url)


@pytest.fixture
async def acquirer_stage(acquirer: RunningAcquirer) -> AsyncIterator[AcquirerStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        stage = AcquirerStage(
            acquirer.settings.base_url, acquirer.receiver, client, settings=acquirer.settings
        )
        await stage.open(acquirer.notice_url)
        yield stage
        await stage.aclose()


@pytest.fixture(params=["fake", "acquirer", "alipay", "etc", "gocardless", "wechat", "stripe"])
def stage(request: pytest.FixtureRequest) -> Stage:
    """Every provider adapter in turn; a new adapter is a new parameter."""
    found: Stage = (
        FakeStage()
        if request.param == "fake"
        else request.getfixturevalue(f"{request.param}_stage")
    )
    needs = {need for marker in request.node.iter_markers("needs") for need in marker.args}
    if missing := needs & found.lacks:
        pytest.skip(f"the scheme of {request.param} has no {', '.join(sorted(missing))}")
    return found
