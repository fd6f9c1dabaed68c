"""A gate's next certificate, asked for over the connection that its present one opened."""

import base64
import binascii
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gate_bridge.identity_port import GateIdentity
from gate_bridge.retry import call_once
from gate_bridge.wire import actions
from gate_bridge.wire.errors import PayloadInvalidError
from parking.gates.shown import ShownCertificate

RENEW_TIMEOUT_S: Final = 10.0


async def renew(
    identity: GateIdentity | None, shown: ShownCertificate | None, call: actions.RenewCertificate
) -> actions.RenewCertificateResult:
    """Return the certificate that follows the connection's.

    Raises:
        PayloadInvalidError: no request, or the connection has no certificate.
        ParkingError: what the authority refuses.
    """
    if identity is None or shown is None:
        raise PayloadInvalidError("request", "expected a connection with a client certificate")
    try:
        request = base64.b64decode(call.request, validate=True)
    except binascii.Error as error:
        raise PayloadInvalidError("request", "expected base64") from error
    issued = await call_once(lambda: identity.renew(shown, request), RENEW_TIMEOUT_S)
    return actions.RenewCertificateResult(
        certificate=_one_line(x509.load_pem_x509_certificate(issued.certificate.encode())),
        authorities=[
            _one_line(certificate)
            for certificate in x509.load_pem_x509_certificates(issued.authority.encode())
        ],
        not_after=issued.not_after,
    )


def _one_line(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode("ascii")
