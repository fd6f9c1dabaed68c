"""A car with an ETC unit: charged through the antenna of its lane, and through no other."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import UUID

import pytest

from parking.flows.payments import charging, mandates
from parking.kit.errors import InvalidInputError
from parking.payments.port import PaymentProvider
from parking.places import service as places
from sesame.sandbox.etc.app import obu_of
from tests.contract.etc_stage import EtcStage, RunningEtc, etc
from tests.contract.running import on_stage
from tests.factories.lane_world import PLATE, LaneWorld

__all__ = ["etc"]

ANTENNA = "east-exit-1"


@dataclass(slots=True)
class Street:
    """The lane world, with the ETC acquirer's stand-in down the road."""

    world: LaneWorld
    stage: EtcStage

    async def hang(self, antenna: str | None, lane_id: UUID | None = None) -> None:
        """Put an antenna above a lane; above the exit if not told otherwise."""
        exit_lane = self.world.exit
        async with self.world.context.database.begin() as unit:
            await places.set_antenna(
                unit, exit_lane.operator_id, lane_id or exit_lane.lane_id, antenna
            )

    async def permit(self, driver_id: UUID, plate: str = PLATE) -> None:
        """Let the driver sign for one bound plate, and confirm our terms."""
        context = self.world.context
        [binding] = await self.world.rows(
            "SELECT binding_id FROM driver_plates WHERE driver_id = :id", id=driver_id
        )
        wish = mandates.Wish(provider="etc", binding_id=binding["binding_id"])
        begun = await mandates.authorize(context, driver_id, wish)
        digest = begun.terms.digest(context.vault, "en")
        await mandates.confirm(context, driver_id, begun.id, digest)
        assert begun.plate == plate
        assert begun.confirmation_url is not None
        assert (await self.stage.client.post(begun.confirmation_url)).status_code == 303
        assert await mandates.sweep(context) == 1

    async def see(self, *plates: str) -> None:
        """Say which cars stand under the antenna."""
        await self.stage.control(
            antenna={"id": ANTENNA, "sees": [obu_of(plate) for plate in plates]}
        )

    async def attempts(self) -> list[tuple[str, str, str | None]]:
        rows = await self.world.rows(
            "SELECT provider, state, failure_code FROM payment_attempts ORDER BY sent_at, provider"
        )
        return [(row["provider"], row["state"], row["failure_code"]) for row in rows]


@pytest.fixture
async def street(
    world: LaneWorld, etc: RunningEtc, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Street]:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))
    providers: Mapping[str, PaymentProvider] = world.context.providers
    assert isinstance(providers, dict)
    async with on_stage(EtcStage, etc) as stage:
        await stage.control(antenna={"id": "*", "sees": []})
        providers["etc"] = stage.provider
        yield Street(world, stage)


async def _stay(street: Street) -> None:
    await street.world.drive_in()
    street.world.wait(minutes=45)


async def test_the_gate_opens_when_the_antenna_sees_the_car(street: Street) -> None:
    await street.hang(ANTENNA)
    await street.permit(await street.world.add_driver())
    before = await street.stage.captured("CNY")
    await _stay(street)
    await street.see(PLATE)

    assert (await street.world.drive_out()).reason == "paid"

    assert await street.attempts() == [("etc", "succeeded", None)]
    assert await street.stage.captured("CNY") - before == 1000
    balances = await street.world.balances()
    assert (balances["provider:etc", "CNY"], sum(balances.values())) == (1000, 0)


async def test_a_car_that_is_not_seen_pays_with_the_next_account(street: Street) -> None:
    await street.hang(ANTENNA)
    driver_id = await street.world.add_driver()
    await street.permit(driver_id)
    await street.world.permit(driver_id)
    before = await street.stage.captured("CNY")
    await _stay(street)
    await street.see("京B99999")

    assert (await street.world.drive_out()).reason == "paid"

    assert await street.attempts() == [
        ("etc", "failed", "obu_not_seen"),
        ("fake", "succeeded", None),
    ]
    assert await street.stage.captured("CNY") == before
    assert street.world.provider.captured("CNY") == 1000


async def test_a_lane_without_an_antenna_never_asks_the_acquirer(street: Street) -> None:
    # The only antenna hangs above the other exit.
    await street.hang(ANTENNA, street.world.second_exit.lane_id)
    await street.permit(await street.world.add_driver())
    before = await street.stage.books()
    await _stay(street)
    await street.see(PLATE)

    decision = await street.world.drive_out()

    assert (decision.action, decision.reason) == ("pay", "payment_due")
    assert await street.attempts() == []
    assert (await street.stage.books())["orders"] == before["orders"]


async def test_an_antenna_hangs_above_one_lane(street: Street) -> None:
    await street.hang(ANTENNA)
    with pytest.raises(InvalidInputError) as caught:
        await street.hang(ANTENNA, street.world.second_exit.lane_id)
    assert caught.value.field == "antenna"
    with pytest.raises(InvalidInputError):
        await street.hang("no name")
    lanes = await street.world.rows(
        "SELECT etc_antenna FROM access_lanes WHERE etc_antenna IS NOT NULL"
    )
    assert lanes == [{"etc_antenna": ANTENNA}]
    await street.hang(None)
    await street.hang(ANTENNA, street.world.second_exit.lane_id)
