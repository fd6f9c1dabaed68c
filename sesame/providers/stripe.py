"""Cards through Stripe, put together from the settings SESAME_STRIPE_*."""

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.providers.stripe import StripeProvider, StripeSettings
from sesame.settings import Settings

# Which variable is to blame for what the adapter refuses.
_VARIABLES = {
    "secret_key": "SESAME_STRIPE_SECRET_KEY",
    "webhook_secrets": "SESAME_STRIPE_WEBHOOK_SECRETS",
    "account": "SESAME_STRIPE_ACCOUNT",
    "base_url": "SESAME_STRIPE_URL",
}


def stripe_provider(settings: Settings, *, clock: Clock) -> StripeProvider | None:
    """Return the adapter; None where it is not set up.

    Raises:
        InvalidInputError: a setting is missing or of no use; it names the variable.
    """
    key, secrets = settings.stripe_secret_key, settings.stripe_webhook_secrets
    account = settings.stripe_account or None
    if not (key or secrets or account):
        return None
    for name, value in (("secret_key", key), ("webhook_secrets", secrets)):
        if not value:
            raise InvalidInputError(
                _VARIABLES[name], "a value: with Stripe the key and the webhook's secret are needed"
            )
    known = tuple(part.strip() for part in (secrets or "").split(",") if part.strip())
    try:
        adapter_settings = StripeSettings(
            secret_key=key or "",
            webhook_secrets=known,
            account=account,
            base_url=settings.stripe_url,
        )
    except InvalidInputError as error:
        raise InvalidInputError(_VARIABLES[error.field], error.expected) from error
    return StripeProvider(adapter_settings, clock)
