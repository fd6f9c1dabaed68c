"""Reading the certificate that a gate shows: TLS has checked its chain and its times already."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parking.gates.authority import LANE_URN
from parking.gates.errors import CertificateRefusedError
from parking.gates.requests import checked_key, key_digest
from parking.kit.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """What a gate's certificate says.

    Attributes:
        certificate_id: Its serial number.
        key_digest: SHA-256 of its public key.
    """

    operator_id: UUID
    lane_id: UUID
    certificate_id: UUID
    key_digest: bytes
    not_before: datetime
    not_after: datetime

    def refuse_unless_current(self, now: datetime) -> None:
        """Make sure that the certificate is valid at `now`.

        Raises:
            CertificateRefusedError: it is not yet, or no longer.
        """
        if now < self.not_before:
            raise CertificateRefusedError("not_yet_valid")
        if now >= self.not_after:
            raise CertificateRefusedError("expired")


def read_shown(der: bytes) -> ShownCertificate:
    """Return what a certificate says about its gate.

    Raises:
        CertificateRefusedError: it is not one of a gate.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        return ShownCertificate(
            operator_id=_operator(certificate),
            lane_id=_lane(certificate),
            certificate_id=UUID(int=certificate.serial_number),
            key_digest=key_digest(checked_key(certificate.public_key())),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )
    except (ValueError, x509.ExtensionNotFound, InvalidInputError) as error:
        raise CertificateRefusedError("not_of_a_gate") from error


def _lane(certificate: x509.Certificate) -> UUID:
    extensions = certificate.extensions
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    # A certificate without the extension passes OpenSSL's check of the purpose.
    if list(usage) != [ExtendedKeyUsageOID.CLIENT_AUTH]:
        raise CertificateRefusedError("not_for_clients")
    names = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    match names:
        case [x509.UniformResourceIdentifier(value=value)] if value.startswith(LANE_URN):
            return UUID(value.removeprefix(LANE_URN))
        case _:
            raise CertificateRefusedError("not_one_lane")


def _operator(certificate: x509.Certificate) -> UUID:
    values = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return UUID(str(values[0].value)) if values else UUID(int=0)
