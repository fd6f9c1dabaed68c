"""A driver who pays by bank debit: the gate opens on credit, the money comes days later."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import UUID

import pytest

from parking.flows.payments import collection, mandates, notices
from parking.payments.port import NoticeKind, PaymentProvider
from tests.contract.gocardless_stage import GoCardlessStage, RunningGoCardless, gocardless
from tests.contract.running import on_stage
from tests.factories.credit import allow_credit
from tests.factories.lane_world import LaneWorld

__all__ = ["gocardless"]


@dataclass(slots=True)
class Street:
    """The lane world in euros, with GoCardless' stand-in down the road."""

    world: LaneWorld
    stage: GoCardlessStage

    async def permit(self, driver_id: UUID) -> UUID:
        """Let the driver give a mandate, and confirm our terms."""
        context = self.world.context
        begun = await mandates.authorize(context, driver_id, mandates.Wish(provider="gocardless"))
        digest = begun.terms.digest(context.vault, "en")
        await mandates.confirm(context, driver_id, begun.id, digest)
        assert begun.confirmation_url is not None
        assert (await self.stage.client.post(begun.confirmation_url)).status_code == 303
        [row] = await self.world.rows("SELECT agreement_reference FROM mandates")
        await self.hear(NoticeKind.AGREEMENT_SIGNED, row["agreement_reference"])
        return begun.id

    async def hear(self, kind: NoticeKind, about: str) -> None:
        """Wait for an event, and act on what it tells, twice."""
        told = await self.stage.delivery(kind, about)
        for notice in (*told.notices, *told.notices):
            await notices.receive_notice(self.world.context, "gocardless", notice)

    async def owe(self) -> None:
        """Leave after 45 minutes without paying, and be debited for it."""
        await self.world.drive_in()
        self.world.wait(minutes=45)
        decision = await self.world.drive_out()
        assert (decision.action, decision.reason) == ("open", "credit")
        self.world.wait(hours=1, minutes=1)
        assert await collection.sweep(self.world.context) == 1

    async def state(self) -> tuple[str, str]:
        """Return the states of the only payment and of the newest bill."""
        [attempt] = await self.world.rows("SELECT state FROM payment_attempts")
        bills = await self.world.rows("SELECT state FROM bills ORDER BY version")
        return attempt["state"], bills[-1]["state"]

    async def number(self) -> str:
        [attempt] = await self.world.rows("SELECT number FROM payment_attempts")
        return str(attempt["number"])


@pytest.fixture
async def street(world: LaneWorld, gocardless: RunningGoCardless) -> AsyncIterator[Street]:
    providers: Mapping[str, PaymentProvider] = world.context.providers
    assert isinstance(providers, dict)
    await allow_credit(world)
    for statement in (
        "UPDATE places SET currency = 'EUR'",
        "UPDATE rate_tables SET body = jsonb_set(body, '{currency}', '\"EUR\"')",
        "UPDATE credit_policies SET currency = 'EUR'",
    ):
        await world.rows_changed(statement)
    async with on_stage(GoCardlessStage, gocardless) as stage:
        providers["gocardless"] = stage.provider
        yield Street(world, stage)


async def test_a_debit_is_proof_only_when_the_bank_has_confirmed_it(street: Street) -> None:
    before = await street.stage.captured("EUR")
    await street.permit(await street.world.add_driver())
    await street.owe()
    assert await street.state() == ("accepted", "owed")
    # Another look while the bank takes its time charges nothing again.
    street.world.wait(hours=1)
    await collection.sweep(street.world.context)
    assert await street.state() == ("accepted", "owed")

    await street.stage.pass_days()
    await street.hear(NoticeKind.CHARGE_SUCCEEDED, await street.number())

    assert await street.state() == ("succeeded", "paid")
    assert await street.stage.captured("EUR") - before == 1000
    balances = await street.world.balances()
    assert (balances["provider:gocardless", "EUR"], sum(balances.values())) == (1000, 0)


@pytest.mark.parametrize(
    ("reason", "told", "status"),
    [
        ("insufficient_funds", NoticeKind.CHARGEBACK_OPENED, "opened"),
        # Before the payout nothing is settled: GoCardless only says that the payment has failed.
        ("late_failure", NoticeKind.CHARGE_FAILED, "lost"),
    ],
)
async def test_what_the_bank_takes_back_is_owed_again(
    street: Street, reason: str, told: NoticeKind, status: str
) -> None:
    before = await street.stage.captured("EUR")
    await street.permit(await street.world.add_driver())
    await street.owe()
    await street.stage.pass_days()
    number = await street.number()
    await street.hear(NoticeKind.CHARGE_SUCCEEDED, number)

    await street.stage.control(chargeback={"number": number, "reason": reason})
    await street.hear(told, number)

    assert await street.stage.captured("EUR") == before
    assert await street.world.rows("SELECT amount_minor, currency, status FROM chargebacks") == [
        {"amount_minor": 1000, "currency": "EUR", "status": status}
    ]
    assert (await street.state())[1] == "owed"
    balances = await street.world.balances()
    assert balances["provider:gocardless", "EUR"] == 0
    assert sum(balances.values()) == 0


async def test_a_debit_that_fails_leaves_the_bill_owed(street: Street) -> None:
    before = await street.stage.captured("EUR")
    await street.permit(await street.world.add_driver())
    await street.stage.play("decline")
    await street.owe()
    await street.stage.pass_days()
    await street.hear(NoticeKind.CHARGE_FAILED, await street.number())

    assert await street.state() == ("failed", "owed")
    assert await street.stage.captured("EUR") == before
    assert await street.world.count("chargebacks") == 0


async def test_money_that_comes_after_its_debit_had_failed_pays_the_bill(street: Street) -> None:
    """As when somebody lets GoCardless try a failed payment again, in its dashboard."""
    await street.permit(await street.world.add_driver())
    await street.owe()
    for statement in (
        "UPDATE payment_attempts SET state = 'failed'",
        "UPDATE bills SET live_attempt_id = NULL",
        "DELETE FROM mandate_uses",
    ):
        await street.world.rows_changed(statement)

    await street.stage.pass_days()
    await street.hear(NoticeKind.CHARGE_SUCCEEDED, await street.number())

    assert await street.state() == ("succeeded", "paid")
    assert (await street.world.balances())["provider:gocardless", "EUR"] == 1000


async def test_a_mandate_that_the_payer_ends_at_the_bank_ends_here(street: Street) -> None:
    await street.permit(await street.world.add_driver())
    [row] = await street.world.rows("SELECT agreement_reference, instrument FROM mandates")
    await street.stage.control(cancel_agreement={"reference": row["agreement_reference"]})

    await street.hear(NoticeKind.AGREEMENT_CANCELLED, row["instrument"])

    assert await street.world.rows("SELECT state FROM mandates") == [{"state": "revoked"}]
