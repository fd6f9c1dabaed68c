"""The provider in memory with an app of its own: one page for each device, and payers to ask for.

A code is `<payer>-<anything>` and good for once.
"""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

from parking.kit.clock import Clock
from parking.payments.fake import TRAITS, FakeProvider
from parking.payments.port import (
    Checkout,
    CheckoutOrder,
    PayerDevice,
    ProviderRefusedError,
    ProviderTraits,
)

PHONE_URL_LIFETIME = timedelta(minutes=5)
WALLET_TRAITS = replace(TRAITS, devices=frozenset({PayerDevice.PHONE, PayerDevice.APP}))


class FakeWallet(FakeProvider):
    """A `FakeProvider` that is a `PayerFinder` too."""

    def __init__(
        self, clock: Clock, *, name: str = "wallet", traits: ProviderTraits = WALLET_TRAITS
    ) -> None:
        super().__init__(clock, name=name, traits=traits)
        self._wallet_clock = clock
        self._used_codes: set[str] = set()

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`."""
        page = await super().start_checkout(order)
        if order.device is PayerDevice.APP:
            handover = {"order": order.number, "payer": "sealed"}
            return replace(page, url=order.return_url, handover=handover)
        if order.device is PayerDevice.PHONE:
            until = self._wallet_clock.now() + PHONE_URL_LIFETIME
            return replace(page, url=f"{page.url}?phone={order.payer_address}", url_until=until)
        return page

    def payer_page(self, return_url: str, state: str) -> str:
        """See `PayerFinder.payer_page`."""
        return f"https://fake.invalid/payer?{urlencode({'back': return_url, 'state': state})}"

    async def find_payer(self, code: str) -> str:
        """See `PayerFinder.find_payer`."""
        payer, _, rest = code.partition("-")
        if not rest or code in self._used_codes:
            raise ProviderRefusedError("code_refused")
        self._used_codes.add(code)
        return payer
