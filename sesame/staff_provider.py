"""Where staff sign in, from the settings."""

from typing import Final

from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from parking.staff.provider import OidcProvider, ProviderSettings
from sesame.settings import Settings

_SECRET_FILE: Final = "SESAME_STAFF_OIDC_CLIENT_SECRET_FILE"  # noqa: S105 - a variable's name
SECRET_BYTES_MAX: Final = 4096


def staff_provider(settings: Settings) -> OidcProvider | None:
    """Return the operator's sign-in provider; None where staff have passkeys only.

    Raises:
        InvalidInputError: only a part of it is set, or the file is unreadable or empty.
    """
    issuer, client_id = settings.staff_oidc_issuer, settings.staff_oidc_client_id
    file = settings.staff_oidc_client_secret_file
    if not (issuer or client_id or file):
        return None
    if not issuer or not client_id or file is None:
        names = "SESAME_STAFF_OIDC_ISSUER, _CLIENT_ID and _CLIENT_SECRET_FILE"
        raise InvalidInputError(names, "all three, or none")
    try:
        with file.open("rb") as opened:
            secret = opened.read(SECRET_BYTES_MAX).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(_SECRET_FILE, "a readable file with text") from error
    if not secret:
        raise InvalidInputError(_SECRET_FILE, "a file with the client's secret")
    known = ProviderSettings(issuer, client_id, secret)
    return OidcProvider(known, clock=SystemClock())
