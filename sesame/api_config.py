"""What `sesame api` is told by the settings."""

from pathlib import Path
from typing import Final

from api.config import TRUSTED_DOCUMENTS_BYTES_MAX, ApiConfig
from api.graphql.trusted import FIELD as TRUSTED_FILE
from parking.drivers.firebase_port import FirebaseVerifier
from parking.drivers.port import SmsSender
from parking.kit.errors import InvalidInputError
from sesame.settings import Settings
from sesame.sms import sms_policy, twilio_auth_token
from sesame.staff_provider import staff_provider
from sesame.web_push import web_push_terms
from sesame.wiring import token_issuer

TRUSTED_ONLY: Final = "SESAME_TRUSTED_DOCUMENTS_ONLY"


def api_config(settings: Settings, sms: SmsSender, firebase: FirebaseVerifier) -> ApiConfig:
    """Return the API's configuration.

    Raises:
        InvalidInputError: a setting is missing or unusable; it names the variable.
    """
    file = settings.trusted_documents_file
    if settings.trusted_documents_only and file is None:
        raise InvalidInputError(TRUSTED_ONLY, f"a manifest in {TRUSTED_FILE}")
    return ApiConfig(
        tokens=token_issuer(settings),
        sms=sms,
        firebase=firebase,
        sms_policy=sms_policy(settings),
        twilio_auth_token=twilio_auth_token(settings),
        web_push=web_push_terms(settings),
        development=settings.development,
        trusted_manifest=_manifest(file) if file else None,
        trusted_only=settings.trusted_documents_only,
        staff_provider=staff_provider(settings),
    )


def _manifest(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            # One byte more than is taken: whoever reads it sees that it is too large.
            return opened.read(TRUSTED_DOCUMENTS_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidInputError(TRUSTED_FILE, f"a readable file, {error.strerror}") from error
