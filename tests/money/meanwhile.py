"""What happens while a provider is being called: it comes before the answer is written down."""

from collections.abc import Awaitable
from typing import Protocol
from uuid import UUID

from parking.flows.pay_link import pay_token
from parking.flows.payments import checkout, mandates, prepay
from tests.money.houses import House
from tests.money.look import Look
from tests.money.post_office import Letter
from tests.money.town import Town
from tests.money.troubles import Meanwhile

JANITORS_AFTER_S = 600


class Stage(Protocol):
    """What they need of the acts."""

    town: Town

    def undelivered(self) -> list[Letter]:
        """Return the notices that were held back so far."""
        ...

    async def attempt(self, asked: Awaitable[object]) -> None:
        """Ask for something that may be refused."""
        ...

    async def run_janitors(self) -> None:
        """Ask about everything whose time has come."""
        ...


class Meanwhiles:
    """Rivals of one call, for one driver at one provider."""

    def __init__(self, stage: Stage, look: Look, house: House, driver_id: UUID | None) -> None:
        self._stage = stage
        self._look = look
        self._house = house
        self._driver_id = driver_id

    def all(self) -> tuple[Meanwhile, ...]:
        """Return every one of them."""
        return (self.notice, self.janitors, self.revocation, self.payment, self.page)

    async def notice(self) -> None:
        """The provider's notice is faster than its answer."""
        await self._stage.town.settle_post()
        for letter in self._stage.undelivered():
            await self._stage.town.deliver(letter)

    async def janitors(self) -> None:
        """The answer takes so long that the sweeps ask about the order themselves."""
        self._stage.town.wait(seconds=JANITORS_AFTER_S)
        await self._house.wake()
        await self._stage.run_janitors()

    async def revocation(self) -> None:
        """The driver ends every permission."""
        if self._driver_id is None:
            return
        for mandate in self._look.mandates_of(self._driver_id):
            await self._stage.attempt(
                mandates.revoke(self._stage.town.context, self._driver_id, mandate["id"])
            )

    async def payment(self) -> None:
        """The driver pays on the phone as well."""
        if self._driver_id is None:
            return
        for session in self._look.inside:
            if session["driver_id"] == self._driver_id:
                await self._stage.attempt(
                    prepay.prepay(self._stage.town.context, self._driver_id, session["id"])
                )

    async def page(self) -> None:
        """Somebody scans the code of every car inside."""
        context = self._stage.town.context
        for session in self._look.inside:
            token = pay_token(context.vault, session["operator_id"], session["id"])
            await self._stage.attempt(checkout.start(context, token))
