"""The files by which a gate proves itself: its key, and the certificate that goes with it.

One file holds both, so that they are replaced together; where the key has a file of its own, it is
kept and only the certificate is replaced.
"""

import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from parking.kit.errors import InvalidInputError

GATE_FILE: Final = "gate.pem"
AUTHORITY_FILE: Final = "authority.pem"
LANE_URN: Final = "urn:sesame:lane:"
KEY_KEPT_FILE: Final = "gate.key.pending"
FILE_BYTES_MAX: Final = 64 * 1024
# Of its validity, after which a certificate is replaced: a third is left for trying again.
RENEW_AFTER: Final = 2 / 3
_PRIVATE_MODE: Final = 0o600

SigningKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A key, and the request that proves it, in DER."""

    key_pem: bytes = field(repr=False)
    der: bytes


class GateCredentials:
    """The certificate that an agent shows.

    Args:
        certificate: PEM: the certificate with its chain, and the key unless `key` names its file.
        key: The key's own file.
        authority: What bridges are checked against; gains the authorities that it lacks.
    """

    def __init__(self, certificate: Path, key: Path | None, authority: Path | None) -> None:
        self._certificate = certificate
        self._key = key
        self._authority = authority
        self._request: CertificateRequest | None = None

    def renews_at(self) -> datetime:
        """Return when the certificate is to be replaced.

        Raises:
            InvalidInputError: the file holds no certificate.
        """
        certificate = self._present()
        lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        return certificate.not_valid_before_utc + lifetime * RENEW_AFTER

    def lane_name(self) -> str | None:
        """Return the id of the lane that the certificate is for; None where it names none.

        Raises:
            InvalidInputError: the file holds no certificate.
        """
        extensions = self._present().extensions
        try:
            names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return None
        found = names.get_values_for_type(x509.UniformResourceIdentifier)
        return found[0].removeprefix(LANE_URN) if found else None

    def trouble(self, now: datetime) -> str | None:
        """Return why no bridge takes the certificate; None where nothing is known against it.

        TLS ends a handshake without a word about the reason.
        """
        try:
            certificate = self._present()
        except (InvalidInputError, OSError) as error:
            return str(error)
        if now >= certificate.not_valid_after_utc:
            return f"certificate: expired at {certificate.not_valid_after_utc}; enrol again"
        if now < certificate.not_valid_before_utc:
            return (
                f"certificate: not valid before {certificate.not_valid_before_utc}; mind the clock"
            )
        return None

    def request(self) -> CertificateRequest:
        """Return the request for the next certificate; the same one until it is replaced.

        An answer that was lost is then given again, instead of one more certificate.
        """
        if self._request is None:
            key_pem = new_key() if self._key is None else read_file(self._key)
            self._request = request_with(key_pem)
        return self._request

    def replace(self, request: CertificateRequest, certificate: str, authority: str) -> None:
        """Put the next certificate in the place of the present one; a crash leaves either."""
        if self._authority is not None:
            _add_authorities(self._authority, authority)
        key_pem = request.key_pem if self._key is None else b""
        write_private(self._certificate, certificate.encode("ascii") + key_pem)
        self._request = None

    def _present(self) -> x509.Certificate:
        content = read_file(self._certificate)
        try:
            return x509.load_pem_x509_certificate(content)
        except ValueError as error:
            raise InvalidInputError("certificate", f"{self._certificate} in PEM") from error


def _add_authorities(path: Path, found_pem: str) -> None:
    """Trust what is new as well; a bridge may have its certificate from somebody else."""
    content = read_file(path)
    known = x509.load_pem_x509_certificates(content)
    found = x509.load_pem_x509_certificates(found_pem.encode("ascii"))
    more = [one.public_bytes(serialization.Encoding.PEM) for one in found if one not in known]
    if more:
        write_private(path, b"\n".join([content.rstrip(), *more]))


def new_key() -> bytes:
    """Return a fresh private key in PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def request_with(key_pem: bytes) -> CertificateRequest:
    """Return a request that proves a key; it names nobody, for no name in it is taken.

    Raises:
        InvalidInputError: it is no key that can sign one.
    """
    try:
        key: PrivateKeyTypes = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        raise InvalidInputError("key", "an unencrypted private key in PEM") from error
    if not isinstance(key, SigningKey):
        raise InvalidInputError("key", "an ECDSA, Ed25519 or RSA key")
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = request.sign(key, algorithm)
    return CertificateRequest(key_pem, signed.public_bytes(serialization.Encoding.DER))


def read_file(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        InvalidInputError: it is larger than any of these files.
    """
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise InvalidInputError(str(path), f"a file of at most {FILE_BYTES_MAX} bytes")
    return content


def write_private(path: Path, content: bytes) -> None:
    """Put a file in place as a whole, readable by its owner only."""
    # A name of its own: the lanes of one site may write their common authority at once.
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE)
        with os.fdopen(opened, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
