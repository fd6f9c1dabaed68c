"""When a claim may be proven, and which code proves it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from parking.kit.crypto import Vault
from parking.plates import rules
from parking.plates.errors import ClaimExpiredError, ClaimInReviewError, ClaimRefusedError
from parking.plates.models import BindingClaim, ClaimState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VAULT = Vault(field_key=b"f" * 32, index_key=b"i" * 32)
PLATE, PRESENTATION = UUID(int=1), UUID(int=2)


def claim(*, state: ClaimState = ClaimState.PENDING, attempts: int = 0) -> BindingClaim:
    return BindingClaim(
        plate_index=PLATE,
        id=UUID(int=3),
        driver_id=UUID(int=4),
        plate_sealed=b"",
        state=state,
        attempts=attempts,
        created_at=NOW,
        expires_at=NOW + rules.CLAIM_PERIOD,
    )


@pytest.mark.parametrize(
    ("subject", "at", "refusal"),
    [
        (claim(), NOW, None),
        (claim(attempts=4), NOW, None),
        (claim(attempts=5), NOW, ClaimInReviewError),
        (claim(), NOW + timedelta(hours=24) - timedelta(microseconds=1), None),
        (claim(), NOW + timedelta(hours=24), ClaimExpiredError),
        (claim(state=ClaimState.REFUSED), NOW, ClaimRefusedError),
        (claim(state=ClaimState.CONFIRMED), NOW, ClaimRefusedError),
    ],
)
def test_claim_refusal(
    subject: BindingClaim, at: datetime, refusal: type[Exception] | None
) -> None:
    found = rules.claim_refusal(subject, at)
    assert (None if found is None else type(found)) is refusal


def test_a_lane_code_is_six_digits_and_the_same_again() -> None:
    first = rules.lane_code(VAULT, PRESENTATION, PLATE, NOW)
    assert len(first) == 6
    assert first.isdigit()
    assert rules.lane_code(VAULT, PRESENTATION, PLATE, NOW) == first


def test_a_lane_code_differs_by_presentation_plate_time_and_key() -> None:
    later = NOW + timedelta(minutes=10)
    other = Vault(field_key=b"f" * 32, index_key=b"j" * 32)
    codes = {
        rules.lane_code(VAULT, PRESENTATION, PLATE, NOW),
        rules.lane_code(VAULT, UUID(int=5), PLATE, NOW),
        rules.lane_code(VAULT, PRESENTATION, UUID(int=6), NOW),
        rules.lane_code(VAULT, PRESENTATION, PLATE, later),
        rules.lane_code(other, PRESENTATION, PLATE, NOW),
    }
    assert len(codes) == 5


def test_a_digest_belongs_to_one_plate() -> None:
    digests = {rules.lane_code_digest(VAULT, UUID(int=n), "123456") for n in range(3)}
    assert len(digests) == 3
