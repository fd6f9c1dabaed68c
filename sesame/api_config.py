"""What `sesame api` is told by the settings."""

import re
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

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
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
        cors_origins=read_origins(settings.cors_origins),
    )


def read_origins(listed: str) -> tuple[str, ...]:
    """Return the origins of SESAME_CORS_ORIGINS.

    Raises:
        InvalidInputError: one is none, or stands for many.
    """
    origins = tuple(origin.strip() for origin in listed.split(",") if origin.strip())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise InvalidInputError(
                "SESAME_CORS_ORIGINS", "origins such as https://app.example, with commas"
            )
    return origins


def _manifest(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            # One byte more than is taken: whoever reads it sees that it is too large.
            return opened.read(TRUSTED_DOCUMENTS_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidInputError(TRUSTED_FILE, f"a readable file, {error.strerror}") from error
