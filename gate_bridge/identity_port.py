"""What a bridge with client certificates asks about them."""

from collections.abc import Collection
from typing import Protocol

from parking.flows.gate_identity import IssuedCertificate
from parking.flows.lane_types import Lane
from parking.gates.shown import ShownCertificate


class GateIdentity(Protocol):
    """The installation's authority. A call raises a `ParkingError`, retryable or not."""

    async def trusted(self) -> str:
        """Return the authorities that gates' certificates are checked against, in PEM."""
        ...

    async def admit(self, shown: ShownCertificate) -> Lane:
        """Return the lane of a certificate.

        Raises:
            CertificateRefusedError: it is unknown, revoked, or not of this time.
        """
        ...

    async def renew(self, shown: ShownCertificate, request: bytes) -> IssuedCertificate:
        """Return the certificate that follows the shown one, for the request's key.

        Raises:
            CertificateRefusedError: the shown one is not accepted any more.
            InvalidInputError: the request cannot be taken.
        """
        ...

    async def standing(self, shown: Collection[ShownCertificate]) -> set[ShownCertificate]:
        """Return which of the certificates are known, and not revoked."""
        ...
