"""TLS of the listener that gates connect to: whoever has no certificate of ours gets no further."""

import ssl
from pathlib import Path

from parking.kit.errors import InvalidInputError


def listener_tls(certificate: Path, key: Path, trusted_pem: str) -> ssl.SSLContext:
    """Return a context that asks every client for a certificate.

    Args:
        certificate: The listener's, with its chain.
        key: The listener's.
        trusted_pem: The authorities that gates' certificates are checked against.

    Raises:
        InvalidInputError: naming the file that cannot be read, or is of another kind.
    """
    for name, file in (("certificate", certificate), ("key", key)):
        _check_readable(name, file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise InvalidInputError(
            "tls.certificate", f"a certificate in PEM in {certificate}, and its own key in {key}"
        ) from error
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=trusted_pem)
    # A resumed session is not checked again: its certificate may have expired meanwhile.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def _check_readable(name: str, file: Path) -> None:
    try:
        with file.open("rb"):
            return
    except OSError as error:
        expected = f"a file that can be read, not {file}: {error.strerror}"
        raise InvalidInputError(f"tls.{name}", expected) from error
