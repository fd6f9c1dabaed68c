"""Refusals about who a gate is."""

from typing import ClassVar

from parking.kit.errors import ParkingError


class EnrolmentRefusedError(ParkingError):
    """The token is wrong, used, expired, withdrawn or another lane's; never said which."""

    code: ClassVar[str] = "GATE_ENROLMENT_REFUSED"

    def __init__(self) -> None:
        super().__init__("token: expected an unused one that was made for this lane lately")


class CertificateRefusedError(ParkingError):
    """A certificate that no gate is let in with.

    Attributes:
        reason: For the log; whoever shows the certificate learns only that it is not accepted.
    """

    code: ClassVar[str] = "GATE_CERTIFICATE_REFUSED"

    def __init__(self, reason: str) -> None:
        super().__init__("certificate: expected a valid one of the lane")
        self.reason = reason


class TooManyCertificatesError(ParkingError):
    """The lane got as many certificates lately as a lane may; a later try may succeed."""

    code: ClassVar[str] = "GATE_CERTIFICATES_TOO_MANY"
    retryable: ClassVar[bool] = True

    def __init__(self, certificates_max: int) -> None:
        super().__init__(f"certificate: at most {certificates_max} a day for one lane")


class TooManyEnrolmentsError(ParkingError):
    """The lane has as many tokens open as a lane may."""

    code: ClassVar[str] = "GATE_ENROLMENTS_TOO_MANY"

    def __init__(self, open_max: int) -> None:
        super().__init__(f"lane: at most {open_max} unused tokens; revoke them, or let them expire")
