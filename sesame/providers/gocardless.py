"""GoCardless, put together from the settings SESAME_GOCARDLESS_*."""

from pathlib import Path

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.providers.gocardless import GoCardlessProvider, GoCardlessSettings
from sesame.settings import Settings

_VARIABLES = {
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
    if not (url and token_file and secret_file):
        given = zip(_VARIABLES.values(), (url, token_file, secret_file), strict=True)
        missing = next(name for name, value in given if not value)
        raise InvalidInputError(
            missing, "a value in the environment: all of SESAME_GOCARDLESS_*, or none"
        )
    token = _content(token_file, _VARIABLES["access_token"])
    secret = _content(secret_file, _VARIABLES["webhook_secret"])
    try:
        return GoCardlessProvider(
            GoCardlessSettings(base_url=url, access_token=token, webhook_secret=secret), clock
        )
    except InvalidInputError as error:
        raise InvalidInputError(_VARIABLES[error.field], error.expected) from error


def _content(path: Path, name: str) -> str:
    try:
        content = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(name, "a readable file") from error
    if not content:
        raise InvalidInputError(name, "a file that is not empty")
    return content
