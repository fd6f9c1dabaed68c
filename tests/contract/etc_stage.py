"""The ETC adapter against its stand-in, for the contract suite and for tests of its own."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from parking.kit.clock import Clock
from parking.payments.port import PaymentProvider
from parking.payments.providers.etc import EtcProvider
from parking.payments.signed_wire import SignedWireSettings
from tests.contract.payment_stages import Delivery, StandInStage
from tests.contract.running import Running, on_stage, running
from tests.factories import stand_ins

HEADER = "sesame-etc-signature"


RunningEtc = Running[SignedWireSettings]


@dataclass(slots=True)
class EtcStage(StandInStage):
    """The ETC adapter, under antennas that see everything until told otherwise."""

    settings: SignedWireSettings = field(kw_only=True)
    lacks: frozenset[str] = frozenset({"checkout"})

    def make_provider(self, clock: Clock) -> PaymentProvider:
        """Return an adapter that knows the stand-in."""
        return EtcProvider(self.settings, clock)

    async def open(self, notice_url: str) -> None:
        """Let every antenna see every car."""
        await StandInStage.open(self, notice_url)
        await self.control(antenna={"id": "*", "sees": ["*"]})

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
    with running(tmp_path_factory.mktemp("etc"), stand_ins.etc) as stand_in:
        yield stand_in


@pytest.fixture
async def etc_stage(etc: RunningEtc) -> AsyncIterator[EtcStage]:
    """The adapter against the stand-in, which behaves well until told otherwise."""
    async with on_stage(EtcStage, etc) as stage:
        yield stage
