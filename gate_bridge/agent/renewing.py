"""Replaces a gate's certificate in time, over the connection that the present one opened."""

import asyncio
import base64
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Final, Protocol, TypeVar

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gate_bridge.agent.credentials import CertificateRequest, GateCredentials
from gate_bridge.agent.reports import Reporter
from gate_bridge.wire import actions
from gate_bridge.wire.errors import CallRefusedError, CallUnansweredError
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_S: Final = 600.0
LANE_LOOKS_MAX: Final = 600
LANE_LOOK_S: Final = 1.0
ResultT = TypeVar("ResultT", bound=actions.WireModel)


class CertificateRenewedError(ParkingError):
    """The connection ends so that the next one shows the new certificate."""

    code: ClassVar[str] = "CERTIFICATE_RENEWED"
    retryable: ClassVar[bool] = True


class AskingSession(Protocol):
    """What renewing needs of a connection."""

    async def ask(self, call: actions.WireModel, model: type[ResultT]) -> ResultT:
        """Call the bridge, once it answered Hello."""
        ...


class CertificateRenewal:
    """Looks at the certificate while the agent is connected, and renews it when it is time.

    Args:
        now: The bridge's time, as far as the agent knows it.
        is_lane_free: Whether no car stands there: the change of connections then disturbs nobody.
        look_s: Time between two looks, and between two tries.
    """

    def __init__(
        self,
        credentials: GateCredentials,
        *,
        now: Callable[[], datetime],
        is_lane_free: Callable[[], bool],
        report: Reporter,
        look_s: float = LOOK_S,
    ) -> None:
        self._credentials = credentials
        self._now = now
        self._is_lane_free = is_lane_free
        self._report = report
        self._look_s = look_s

    def trouble(self) -> str | None:
        """Return why no bridge takes the certificate; None where nothing is known against it."""
        return self._credentials.trouble(self._now())

    async def run(self, session: AskingSession) -> None:
        """Renew the certificate when it is time.

        Raises:
            CertificateRenewedError: it is there; connect again.
        """
        while True:
            if await self._renewed(session):
                break
            await asyncio.sleep(self._look_s)
        for _ in range(LANE_LOOKS_MAX):
            if self._is_lane_free():
                break
            await asyncio.sleep(LANE_LOOK_S)
        raise CertificateRenewedError("connect again with the new certificate")

    async def _renewed(self, session: AskingSession) -> bool:
        try:
            if self._now() < self._credentials.renews_at():
                return False
            request = self._credentials.request()
            call = actions.RenewCertificate(request=base64.b64encode(request.der).decode("ascii"))
            answer = await session.ask(call, actions.RenewCertificateResult)
            await asyncio.to_thread(self._store, request, answer)
        except (ParkingError, OSError, ValueError) as error:
            if isinstance(error, CallUnansweredError):
                raise
            # The certificate is still valid: there is time for a person, and for another try.
            _log.error("certificate_not_renewed", error=str(error))
            self._report({"event": "certificate_not_renewed", "error": _told(error)})
            return False
        self._report({"event": "certificate_renewed", "not_after": answer.not_after.isoformat()})
        return True

    def _store(self, request: CertificateRequest, answer: actions.RenewCertificateResult) -> None:
        authority = "".join(map(_pem, answer.authorities))
        self._credentials.replace(request, _pem(answer.certificate), authority)


def _pem(text: str) -> str:
    certificate = x509.load_der_x509_certificate(base64.b64decode(text))
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _told(error: Exception) -> str:
    return error.description if isinstance(error, CallRefusedError) else str(error)
