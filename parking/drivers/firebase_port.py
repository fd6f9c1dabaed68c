"""What the domain asks of Firebase Authentication, and why it may be refused."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from parking.drivers.errors import FirebaseNotSetUpError


@dataclass(frozen=True, slots=True)
class FirebaseUser:
    """Who a Firebase ID token speaks of, and that it was not taken back.

    Attributes:
        uid: Firebase's own name of the account.
        phone_number: E.164; None unless the user signed in by it, which proves that it is theirs.
        authenticated_at: When the user last proved to Firebase who they are.
    """

    uid: str
    phone_number: str | None
    authenticated_at: datetime


class FirebaseVerifier(Protocol):
    """One Firebase project; safe to share between tasks. Never called inside a transaction."""

    async def verify(self, id_token: str) -> FirebaseUser:
        """Return whose token it is.

        Raises:
            FirebaseTokenRefusedError: forged, expired, of another project, or taken back.
            FirebaseUnavailableError: Google did not answer in time.
            FirebaseNotSetUpError: this installation has no Firebase project.
        """
        ...


class NullFirebaseVerifier:
    """Refuses every token: for an installation without Firebase."""

    async def verify(self, id_token: str) -> FirebaseUser:
        """Refuse.

        Raises:
            FirebaseNotSetUpError: always.
        """
        _ = id_token
        raise FirebaseNotSetUpError
