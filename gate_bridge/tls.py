"""TLS of the listener that gates connect to: whoever has no certificate of ours gets no further."""

import ssl
from pathlib import Path


def listener_tls(certificate: Path, key: Path, trusted_pem: str) -> ssl.SSLContext:
    """Return a context that asks every client for a certificate.

    Args:
        certificate: The listener's, with its chain.
        key: The listener's.
        trusted_pem: The authorities that gates' certificates are checked against.

    Raises:
        OSError: a file cannot be read, or is of another kind.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=trusted_pem)
    # A resumed session is not checked again: its certificate may have expired meanwhile.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context
