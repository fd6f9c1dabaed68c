"""A driver who pays with Alipay: from the signature in the app to an opening gate and back."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest

from parking.flows.payments import mandates
from parking.payments.models import MandateState
from parking.payments.port import PaymentProvider
from tests.contract.alipay_stage import AlipayStage, RunningAlipay, alipay
from tests.contract.running import on_stage
from tests.factories.lane_world import LaneWorld

__all__ = ["alipay"]


@dataclass(slots=True)
class Street:
    """The lane world, with Alipay's stand-in down the road."""

    world: LaneWorld
    stage: AlipayStage

    async def permit(self) -> None:
        """Let a driver with a bound plate sign, and confirm our terms."""
        context = self.world.context
        driver_id = await self.world.add_driver()
        begun = await mandates.authorize(context, driver_id, mandates.Wish(provider="alipay"))
        digest = begun.terms.digest(context.vault, "en")
        await mandates.confirm(context, driver_id, begun.id, digest)
        assert begun.confirmation_url is not None
        page = (await self.stage.client.get(begun.confirmation_url)).headers["Location"]
        assert (await self.stage.client.post(page)).status_code == 303
        # Its notice goes to another receiver here: the sweep asks instead.
        await mandates.sweep(context)
        view = await mandates.find_mandate(context, driver_id, begun.id)
        assert view is not None
        assert view.state is MandateState.ACTIVE

    async def attempts(self) -> list[tuple[str, str | None]]:
        rows = await self.world.rows(
            "SELECT state, failure_code FROM payment_attempts ORDER BY sent_at, id"
        )
        return [(row["state"], row["failure_code"]) for row in rows]


@pytest.fixture
async def street(world: LaneWorld, alipay: RunningAlipay) -> AsyncIterator[Street]:
    providers: Mapping[str, PaymentProvider] = world.context.providers
    assert isinstance(providers, dict)
    async with on_stage(AlipayStage, alipay) as stage:
        providers["alipay"] = stage.provider
        yield Street(world, stage)


async def test_the_gate_opens_on_alipays_answer(street: Street) -> None:
    await street.permit()
    before = await street.stage.captured("CNY")
    await street.world.drive_in()
    street.world.wait(minutes=45)

    decision = await street.world.drive_out()

    assert (decision.action, decision.reason) == ("open", "paid")
    assert await street.stage.captured("CNY") == before + 1000
    assert await street.attempts() == [("succeeded", None)]
    balances = await street.world.balances()
    assert balances["provider:alipay", "CNY"] == 1000
    assert sum(balances.values()) == 0


@pytest.mark.parametrize("scenario", ["lose_answer_before", "lose_answer_after"])
async def test_a_lost_answer_is_asked_for_and_paid_once(street: Street, scenario: str) -> None:
    await street.permit()
    before = await street.stage.captured("CNY")
    await street.world.drive_in()
    street.world.wait(minutes=45)
    await street.stage.play(scenario)

    decision = await street.world.drive_out()

    assert (decision.action, decision.reason) == ("open", "paid")
    assert await street.stage.captured("CNY") == before + 1000
    assert await street.attempts() == [("succeeded", None)]


async def test_a_decline_opens_nothing_and_takes_nothing(street: Street) -> None:
    await street.permit()
    before = await street.stage.captured("CNY")
    await street.world.drive_in()
    street.world.wait(minutes=45)
    code = "ACQ.CYCLE_PAY_SINGLE_FEE_EXCEED"
    await street.stage.control(scenario="decline", failure_code=code)

    decision = await street.world.drive_out()

    assert decision.action != "open"
    assert await street.attempts() == [("failed", code)]
    assert await street.stage.captured("CNY") == before


async def test_what_was_revoked_in_the_app_pays_no_more(street: Street) -> None:
    await street.permit()
    before = await street.stage.captured("CNY")
    await street.world.drive_in()
    street.world.wait(minutes=45)
    [row] = await street.world.rows("SELECT agreement_reference FROM mandates")
    # No notice of it has reached us: only the charge finds out.
    await street.stage.control(cancel_agreement={"reference": row["agreement_reference"]})

    decision = await street.world.drive_out()

    assert decision.action != "open"
    assert await street.attempts() == [("failed", "agreement_inactive")]
    assert await street.stage.captured("CNY") == before
