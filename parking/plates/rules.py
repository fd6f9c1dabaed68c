"""When a claim may still be proven, and by which code."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.kit.crypto import Vault
from parking.kit.errors import ParkingError
from parking.plates.errors import ClaimExpiredError, ClaimInReviewError, ClaimRefusedError
from parking.plates.models import BindingClaim, ClaimState

CLAIM_PERIOD: Final = timedelta(hours=24)
# Staff need working days where a driver needs minutes. The same for whatever leads to a review, so
# that the period says nothing of the cause.
REVIEW_PERIOD: Final = timedelta(days=30)
PENDING_CLAIMS_MAX: Final = 5
CLAIM_ATTEMPTS_MAX: Final = 5
# Two sides of a licence, and both again.
PICTURES_PER_CLAIM_MAX: Final = 4
PICTURES_PER_DAY_MAX: Final = 12
LANE_CODE_DIGITS: Final = 6
LANE_CODE_PERIOD: Final = timedelta(minutes=10)


def claim_refusal(claim: BindingClaim, now: datetime) -> ParkingError | None:
    """Return why no code can prove the claim at `now`; None if one can."""
    if claim.state is not ClaimState.PENDING:
        return ClaimRefusedError()
    if claim.expires_at <= now:
        return ClaimExpiredError()
    if claim.attempts >= CLAIM_ATTEMPTS_MAX:
        return ClaimInReviewError()
    return None


def lane_code(vault: Vault, presentation_id: UUID, plate_index: UUID, issued_at: datetime) -> str:
    """Return the code of one presentation: the same again after a crash, to be guessed by nobody.

    It is computed with the index key, because only its digest is stored.
    """
    text = f"{presentation_id}|{plate_index}|{issued_at.isoformat()}"
    number = int.from_bytes(vault.digest("lane_code.text", text)) % 10**LANE_CODE_DIGITS
    return f"{number:0{LANE_CODE_DIGITS}d}"


def lane_code_digest(vault: Vault, plate_index: UUID, code: str) -> bytes:
    """Return what is stored of a code; it differs by plate, so that digests cannot be compared."""
    return vault.digest("lane_code", f"{plate_index}|{code}")
