"""The certificate authority: what it signs, and nothing that a request says about itself.

Certificates follow RFC 5280. A gate's name is one URI, `urn:sesame:lane:<lane id>`; the operator
stands in the subject, so that a certificate's row is found by its key.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parking.gates.requests import RequestedKey
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id

LANE_URN: Final = "urn:sesame:lane:"
AUTHORITY_NAME: Final = "Sesame gates"
AUTHORITY_LIFETIME: Final = timedelta(days=3650)
GATE_LIFETIME: Final = timedelta(days=90)
SERVER_LIFETIME: Final = timedelta(days=365)
# The clock of whoever checks may be behind ours.
BACKDATED: Final = timedelta(hours=1)
HOSTS_MAX: Final = 20
TRUSTED_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class GateAuthority:
    """What signs certificates of gates.

    Attributes:
        trusted: Its own certificate, and those of earlier authorities that are still trusted.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    trusted: tuple[x509.Certificate, ...]

    def trusted_pem(self) -> str:
        """Return the certificates that gates and bridges are checked against."""
        return "".join(pem_of(certificate) for certificate in self.trusted)


@dataclass(frozen=True, slots=True)
class GateName:
    """Whose certificate it is."""

    operator_id: UUID
    lane_id: UUID


def new_authority(now: datetime) -> GateAuthority:
    """Return a fresh authority that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return GateAuthority(certificate, key, (certificate,))


def read_authority(
    certificates_pem: bytes, key_pem: bytes, *, fields: tuple[str, str]
) -> GateAuthority:
    """Return an authority from its files; certificates after the first are trusted as well.

    Args:
        certificates_pem: The first belongs to the key.
        key_pem: Unencrypted.
        fields: What to call the two in a refusal.

    Raises:
        InvalidInputError: a file is of another kind, or the two do not belong together.
    """
    try:
        trusted = tuple(x509.load_pem_x509_certificates(certificates_pem))
    except ValueError as error:
        raise InvalidInputError(fields[0], "certificates in PEM") from error
    if not 0 < len(trusted) <= TRUSTED_MAX or not all(map(_is_authority, trusted)):
        raise InvalidInputError(fields[0], f"1 to {TRUSTED_MAX} certificates of authorities")
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(fields[1], "an unencrypted private key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInputError(fields[1], "an ECDSA key on P-256")
    if key.public_key() != trusted[0].public_key():
        raise InvalidInputError(fields[1], f"the key of the first certificate in {fields[0]}")
    return GateAuthority(trusted[0], key, trusted)


def issue_gate(
    authority: GateAuthority,
    key: RequestedKey,
    name: GateName,
    now: datetime,
    lifetime: timedelta = GATE_LIFETIME,
) -> tuple[UUID, x509.Certificate]:
    """Return a gate's certificate with its id, which is also its serial number."""
    certificate_id = new_id(now)
    subject = [
        # What the certificate's row is found by, besides the serial number.
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, str(name.operator_id)),
        x509.NameAttribute(NameOID.COMMON_NAME, str(name.lane_id)),
    ]
    names = [x509.UniformResourceIdentifier(f"{LANE_URN}{name.lane_id}")]
    builder = (
        _builder(authority, x509.Name(subject), key, now, lifetime)
        .serial_number(certificate_id.int)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return certificate_id, builder.sign(authority.key, hashes.SHA256())


def issue_server(
    authority: GateAuthority, key: ec.EllipticCurvePublicKey, hosts: Sequence[str], now: datetime
) -> x509.Certificate:
    """Return the certificate of a bridge's listener.

    Args:
        authority: What gates trust.
        key: The listener's.
        hosts: Names and addresses by which gates reach it.
        now: The time.

    Raises:
        InvalidInputError: a host is neither a name nor an address.
    """
    if not 0 < len(hosts) <= HOSTS_MAX:
        raise InvalidInputError("host", f"1 to {HOSTS_MAX} names or addresses")
    names = [_host(host) for host in hosts]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sesame gate bridge")])
    return (
        _builder(authority, subject, key, now, SERVER_LIFETIME)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def pem_of(certificate: x509.Certificate) -> str:
    """Return a certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a private key in PEM, unencrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def _builder(
    authority: GateAuthority,
    subject: x509.Name,
    key: RequestedKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    # Nothing outlives its authority: a chain that has ended would be refused, and say why nowhere.
    not_after = min(now + lifetime, authority.certificate.not_valid_after_utc)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.certificate.subject)
        .public_key(key)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(issuer_key, critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        pass
    labels = host.removeprefix("*.").split(".")
    if not all(label.isascii() and label.replace("-", "").isalnum() for label in labels):
        raise InvalidInputError("host", "a name such as gates.example.com, or an address")
    return x509.DNSName(host)
