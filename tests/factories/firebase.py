"""A Firebase project in this process, and what verifies its tokens."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from parking.kit.clock import ManualClock
from sesame.firebase.certificates import Certificates
from sesame.firebase.service_account import AccessTokens, ServiceAccount
from sesame.firebase.verifier import GoogleFirebaseVerifier
from sesame.sandbox.fcm import new_service_account
from sesame.sandbox.firebase import FirebaseStandIn

BASE_URL: Final = "https://google.test"
PROJECT: Final = "seaside"
# Made once: an RSA key takes a good part of a second.
ACCOUNT: Final = new_service_account(PROJECT)
SIGNING_KEY: Final = rsa.generate_private_key(65537, 2048)
OTHER_KEY: Final = rsa.generate_private_key(65537, 2048)


@dataclass(frozen=True, slots=True)
class FirebaseWorld:
    """The project, and our side of it."""

    google: FirebaseStandIn
    verifier: GoogleFirebaseVerifier
    certificates: Certificates
    clock: ManualClock


def private_key(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@asynccontextmanager
async def open_firebase_world(clock: ManualClock) -> AsyncGenerator[FirebaseWorld]:
    google = FirebaseStandIn(ACCOUNT, clock, key=SIGNING_KEY)
    account = ServiceAccount(
        PROJECT,
        ACCOUNT.client_email,
        ACCOUNT.key_id,
        f"{BASE_URL}/token",
        private_key(ACCOUNT.private_key_pem),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(google.app)) as client:
        certificates = Certificates(client, f"{BASE_URL}/certificates", clock)
        verifier = GoogleFirebaseVerifier(
            client,
            project_id=PROJECT,
            certificates=certificates,
            tokens=AccessTokens(client, account, clock),
            clock=clock,
            accounts_url=BASE_URL,
        )
        yield FirebaseWorld(google, verifier, certificates, clock)
