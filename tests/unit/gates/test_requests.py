"""What a gate may ask to have certified, and what becomes of what it says about itself."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from parking.gates.authority import (
    AUTHORITY_LIFETIME,
    GateName,
    issue_gate,
    issue_server,
    new_authority,
    pem_of,
    private_pem,
    read_authority,
)
from parking.gates.models import GateCertificate
from parking.gates.requests import REQUEST_BYTES_MAX, read_request
from parking.gates.rules import read_token, with_renewed
from parking.gates.shown import read_shown
from parking.kit.errors import InvalidInputError
from tests.integration.gate_town import pem_request

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAME = GateName(UUID(int=1), UUID(int=2))
AUTHORITY = new_authority(NOW)
DER = serialization.Encoding.DER


def refusal(request: bytes) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read_request(request)
    assert caught.value.field == "request"
    return caught.value.expected


# Made when a test needs it: keys of RSA take their time.
MAKERS: dict[str, Callable[[], Any]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA 2048": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "RSA 1024": lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "P-224": lambda: ec.generate_private_key(ec.SECP224R1()),
    "Ed448": ed448.Ed448PrivateKey.generate,
}
TAKEN = ("P-256", "P-384", "Ed25519", "RSA 2048")


@pytest.mark.parametrize("kind", MAKERS)
def test_keys_that_are_taken_and_keys_that_are_not(kind: str) -> None:
    key = MAKERS[kind]()
    algorithm = None if kind.startswith("Ed") else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = builder.sign(key, algorithm)
    for encoding in (DER, serialization.Encoding.PEM):
        if kind in TAKEN:
            assert read_request(signed.public_bytes(encoding)) == key.public_key()
        else:
            expected = "a key on P-256 or P-384, Ed25519, or RSA of at least 2048 bits"
            assert refusal(signed.public_bytes(encoding)) == expected


def test_a_request_of_somebody_elses_key_is_refused() -> None:
    """The key of one request, signed by another one."""
    mine, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    signed = x509.load_pem_x509_csr(pem_request(mine))
    spki = DER, serialization.PublicFormat.SubjectPublicKeyInfo
    forged = signed.public_bytes(DER).replace(
        mine.public_key().public_bytes(*spki), other.public_key().public_bytes(*spki)
    )
    assert x509.load_der_x509_csr(forged).public_key() == other.public_key()
    assert refusal(forged) == "one that is signed by its own key"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"",
        b"nonsense",
        b"-----BEGIN CERTIFICATE REQUEST-----\n!!\n-----END CERTIFICATE REQUEST-----\n",
        pem_of(AUTHORITY.certificate).encode(),
        private_pem(AUTHORITY.key).encode(),
        b"\x30\x84\xff\xff\xff\xff",
    ],
)
def test_what_is_no_request_is_refused(request_bytes: bytes) -> None:
    assert refusal(request_bytes) == "a certificate signing request (PKCS#10)"


def test_an_oversized_request_is_not_even_read() -> None:
    padded = pem_request(ec.generate_private_key(ec.SECP256R1())) + b"\n" * REQUEST_BYTES_MAX
    assert refusal(padded) == f"at most {REQUEST_BYTES_MAX} bytes"


def test_nothing_that_a_request_says_is_taken_over() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    stolen = f"urn:sesame:lane:{UUID(int=99)}"
    taken = read_request(pem_request(key, name="root", uri=stolen))
    certificate_id, made = issue_gate(AUTHORITY, taken, NAME, NOW)
    assert stolen.encode() not in made.public_bytes(DER)
    assert "root" not in made.subject.rfc4514_string()
    assert made.serial_number == certificate_id.int
    shown = read_shown(made.public_bytes(DER))
    assert (shown.operator_id, shown.lane_id) == (NAME.operator_id, NAME.lane_id)
    assert (shown.certificate_id, shown.not_after) == (certificate_id, NOW + timedelta(days=90))
    extensions = made.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    made.verify_directly_issued_by(AUTHORITY.certificate)


def test_no_certificate_outlives_its_authority() -> None:
    late = NOW + AUTHORITY_LIFETIME - timedelta(days=1)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    _, made = issue_gate(AUTHORITY, key, NAME, late)
    assert made.not_valid_after_utc == AUTHORITY.certificate.not_valid_after_utc


def test_a_server_certificate_names_its_hosts_and_is_no_clients() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    made = issue_server(AUTHORITY, key, ["gates.example.com", "10.0.0.7"], NOW)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gates.example.com"]
    assert [str(found) for found in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7"]
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    for hosts in ([], ["two words"], ["https://gates.example"], [""], ["a"] * 21):
        with pytest.raises(InvalidInputError) as caught:
            issue_server(AUTHORITY, key, hosts, NOW)
        assert caught.value.field == "host"


def test_an_authority_comes_from_its_files_and_older_ones_stay_trusted() -> None:
    older = new_authority(NOW)
    certificates = pem_of(AUTHORITY.certificate) + pem_of(older.certificate)
    fields = ("CERTIFICATES", "KEY")
    key_pem = private_pem(AUTHORITY.key).encode()
    read = read_authority(certificates.encode(), key_pem, fields=fields)
    assert read.trusted == (AUTHORITY.certificate, older.certificate)
    _, leaf = issue_gate(AUTHORITY, older.key.public_key(), NAME, NOW)
    for certificates_pem, wrong_key, field in (
        (pem_of(older.certificate).encode(), key_pem, "KEY"),
        (pem_of(leaf).encode(), private_pem(older.key).encode(), "CERTIFICATES"),
        (b"", key_pem, "CERTIFICATES"),
        (certificates.encode(), b"", "KEY"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            read_authority(certificates_pem, wrong_key, fields=fields)
        assert caught.value.field == field


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", f"{UUID(int=1).hex}.x.y", "é" * 300])
def test_what_cannot_be_a_token(token: str) -> None:
    assert read_token(token) is None


def test_a_stolen_key_takes_its_renewals_with_it() -> None:
    def row(number: int, replaces: int | None) -> GateCertificate:
        return GateCertificate(
            operator_id=NAME.operator_id,
            id=UUID(int=number),
            lane_id=NAME.lane_id,
            certificate="",
            key_digest=b"",
            replaces_id=None if replaces is None else UUID(int=replaces),
            not_before=NOW,
            not_after=NOW,
        )

    rows = [row(5, 4), row(4, 2), row(3, None), row(2, 1), row(1, None)]
    assert with_renewed(rows, UUID(int=2)) == {UUID(int=number) for number in (2, 4, 5)}
    assert with_renewed(rows, UUID(int=3)) == {UUID(int=3)}
