"""The stand-ins that contract tests talk to: started once a run, on loopback."""

from collections.abc import AsyncIterator, Iterator

import pytest

from parking.payments.signed_wire import SignedWireSettings
from tests.contract.alipay_stage import alipay, alipay_stage
from tests.contract.etc_stage import etc, etc_stage
from tests.contract.gocardless_stage import gocardless, gocardless_stage
from tests.contract.payment_stages import AcquirerStage, FakeStage, Stage
from tests.contract.running import Running, on_stage, running
from tests.contract.stripe_stage import stripe, stripe_stage
from tests.contract.wechat_stage import partner, partner_stage, wechat, wechat_stage
from tests.contract.wechat_wire import wechat_keys, wechat_wire
from tests.factories import stand_ins

# The fixtures of each provider, beside its stage.
__all__ = [
    "alipay",
    "alipay_stage",
    "etc",
    "etc_stage",
    "gocardless",
    "gocardless_stage",
    "partner",
    "partner_stage",
    "stripe",
    "stripe_stage",
    "wechat",
    "wechat_keys",
    "wechat_stage",
    "wechat_wire",
]

RunningAcquirer = Running[SignedWireSettings]


@pytest.fixture(scope="session")
def acquirer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAcquirer]:
    """A running stand-in acquirer with a merchant that it knows."""
    with running(tmp_path_factory.mktemp("acquirer"), stand_ins.acquirer) as stand_in:
        yield stand_in


@pytest.fixture
async def acquirer_stage(acquirer: RunningAcquirer) -> AsyncIterator[AcquirerStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with on_stage(AcquirerStage, acquirer) as stage:
        yield stage


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
