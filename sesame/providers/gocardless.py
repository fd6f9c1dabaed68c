"""GoCardless, put together from the settings SESAME_GOCARDLESS_*."""

from typing import Final

from parking.kit.clock import Clock
from parking.payments.providers.gocardless import GoCardlessProvider, GoCardlessSettings
from sesame.providers.variables import content, named, required
from sesame.settings import Settings

_VARIABLES: Final = {
    "base_url": "SESAME_GOCARDLESS_URL",
    "access_token": "SESAME_GOCARDLESS_ACCESS_TOKEN_FILE",
    "webhook_secret": "SESAME_GOCARDLESS_WEBHOOK_SECRET_FILE",
}


def gocardless_provider(settings: Settings, *, clock: Clock) -> GoCardlessProvider | None:
    """Return the adapter; None where it is not set up.

    Raises:
        InvalidInputError: a setting is missing or of no use; it names the variable.
    """
    url = settings.gocardless_url
    token_file = settings.gocardless_access_token_file
    secret_file = settings.gocardless_webhook_secret_file
    if not (url or token_file or secret_file):
        return None
    with named(_VARIABLES):
        adapter_settings = GoCardlessSettings(
            base_url=required(_VARIABLES["base_url"], url),
            access_token=content(_VARIABLES["access_token"], token_file),
            webhook_secret=content(_VARIABLES["webhook_secret"], secret_file),
        )
        return GoCardlessProvider(adapter_settings, clock)
