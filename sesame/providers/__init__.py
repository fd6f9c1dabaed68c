"""Payment providers, put together from the settings."""

from typing import Final

from parking.kit.clock import Clock
from parking.payments.port import PaymentProvider
from sesame.providers.alipay import alipay_provider
from sesame.providers.gocardless import gocardless_provider
from sesame.providers.signed_wires import acquirer_provider, etc_provider
from sesame.providers.stripe import stripe_provider
from sesame.providers.wechat import wechat_provider
from sesame.settings import Settings

# The first with payment pages is the one that a bill's code leads to.
_MAKERS: Final = (
    acquirer_provider,
    alipay_provider,
    etc_provider,
    gocardless_provider,
    stripe_provider,
    wechat_provider,
)


def payment_providers(settings: Settings, *, clock: Clock) -> dict[str, PaymentProvider]:
    """Return the adapters that are set up, by name.

    Raises:
        InvalidInputError: a setting of one is missing or of no use; it names the variable.
    """
    made = (make(settings, clock=clock) for make in _MAKERS)
    return {provider.name: provider for provider in made if provider is not None}
