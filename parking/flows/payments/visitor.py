"""What a bill's page is open on, and for whom a provider's payment page is."""

from dataclasses import dataclass, field
from typing import Final

from parking.flows.context import ParkingContext
from parking.payments.errors import PayerUnknownError
from parking.payments.port import PayerDevice, PaymentProvider

_DIGEST_BYTES = 16
_KIND = "checkout_payer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Whoever has a bill's page open.

    Attributes:
        app: The provider whose app shows the page, if one does.
        is_phone: Whether a phone shows it.
        address: The phone's IP address.
        payer_id: Whose app it is, once its provider has told: neither shown nor stored.
        claim: Names the driver and the claim on a plate that paying proves.
    """

    app: str | None = None
    is_phone: bool = False
    address: str | None = None
    payer_id: str | None = field(default=None, repr=False)
    claim: str | None = None


ANYONE: Final = Visitor()


def device_of(provider: PaymentProvider, visitor: Visitor) -> PayerDevice:
    """Return which of a provider's pages a visitor can use."""
    devices = provider.traits.devices
    if visitor.app == provider.name:
        # An app does not open the page by which a phone's browser would open it.
        return PayerDevice.APP if PayerDevice.APP in devices else PayerDevice.SCREEN
    is_open = visitor.is_phone and PayerDevice.PHONE in devices
    return PayerDevice.PHONE if is_open else PayerDevice.SCREEN


def page_for(context: ParkingContext, name: str, visitor: Visitor) -> str | None:
    """Return for whom a provider's page would be: None for everyone.

    One that proves a claim is its driver's alone: whoever pays on another page proves nothing.

    Raises:
        PayerUnknownError: it would be in the provider's app, which has not told whose it is.
    """
    if visitor.claim is not None:
        return visitor.claim
    provider = context.providers.get(name)
    device = PayerDevice.SCREEN if provider is None else device_of(provider, visitor)
    if device is PayerDevice.SCREEN:
        return None
    if device is PayerDevice.PHONE:
        return device.value
    if visitor.payer_id is None:
        raise PayerUnknownError(name)
    digest = context.vault.digest(_KIND, f"{name}|{visitor.payer_id}")[:_DIGEST_BYTES]
    return f"{device.value}:{digest.hex()}"
