"""Cards through Stripe, put together from the settings SESAME_STRIPE_*."""

from typing import TYPE_CHECKING, Final

from parking.kit.clock import Clock
from sesame.providers.variables import named, required
from sesame.settings import Settings

if TYPE_CHECKING:
    from parking.payments.providers.stripe import StripeProvider

_VARIABLES: Final = {
    "secret_key": "SESAME_STRIPE_SECRET_KEY",
    "webhook_secrets": "SESAME_STRIPE_WEBHOOK_SECRETS",
    "account": "SESAME_STRIPE_ACCOUNT",
    "base_url": "SESAME_STRIPE_URL",
}


def stripe_provider(settings: Settings, *, clock: Clock) -> "StripeProvider | None":
    """Return the adapter; None where it is not set up.

    Raises:
        InvalidInputError: a setting is missing or of no use; it names the variable.
    """
    key, secrets = settings.stripe_secret_key, settings.stripe_webhook_secrets
    account = settings.stripe_account or None
    if not (key or secrets or account):
        return None
    # Imported here: the library is a quarter of a second that most processes can spare.
    from parking.payments.providers.stripe import (  # noqa: PLC0415
        StripeProvider,
        StripeSettings,
    )

    with named(_VARIABLES):
        adapter_settings = StripeSettings(
            secret_key=required(_VARIABLES["secret_key"], key),
            webhook_secrets=_listed(required(_VARIABLES["webhook_secrets"], secrets)),
            account=account,
            base_url=settings.stripe_url,
        )
        return StripeProvider(adapter_settings, clock)


def _listed(secrets: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in secrets.split(",") if part.strip())
