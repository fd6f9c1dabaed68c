"""Firebase Authentication from the settings: docs/identity.md."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from parking.drivers.firebase_port import FirebaseVerifier, NullFirebaseVerifier
from parking.kit.clock import Clock, SystemClock
from parking.kit.outbound import open_connections, require_secure_url
from sesame.firebase.certificates import GOOGLE_URL, Certificates
from sesame.firebase.service_account import AccessTokens, ServiceAccount
from sesame.firebase.verifier import ACCOUNTS_URL, GoogleFirebaseVerifier
from sesame.settings import Settings

_FILE = "SESAME_FIREBASE_CREDENTIALS_FILE"


@asynccontextmanager
async def open_firebase(
    settings: Settings, clock: Clock | None = None
) -> AsyncGenerator[FirebaseVerifier]:
    """Open what verifies ID tokens, for the length of the block.

    Raises:
        InvalidInputError: the credentials cannot be read, or an address is not secure.
    """
    if settings.firebase_credentials_file is None:
        yield NullFirebaseVerifier()
        return
    clock = clock or SystemClock()
    account = ServiceAccount.read(settings.firebase_credentials_file, name=_FILE)
    certificates_url = settings.firebase_certificates_url or GOOGLE_URL
    accounts_url = (settings.firebase_accounts_url or ACCOUNTS_URL).rstrip("/")
    require_secure_url("SESAME_FIREBASE_CERTIFICATES_URL", certificates_url)
    require_secure_url("SESAME_FIREBASE_ACCOUNTS_URL", accounts_url)
    async with open_connections() as client:
        yield GoogleFirebaseVerifier(
            client,
            project_id=account.project_id,
            certificates=Certificates(client, certificates_url, clock),
            tokens=AccessTokens(client, account, clock),
            accounts_url=accounts_url,
            clock=clock,
        )
