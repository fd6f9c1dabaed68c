"""Signed policies for tests of the edge."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parking.kit.ids import new_id
from parking.offline.bundle import (
    SIGNED_AS,
    Fallback,
    ListedPlate,
    PolicyBundle,
    Right,
    RiskCap,
    encode,
    hash_plate,
)

ISSUED: Final = datetime(2026, 3, 1, 8, tzinfo=UTC)
KEY: Final = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
PUBLIC: Final = KEY.public_key().public_bytes_raw()
LANE: Final = new_id(ISSUED)
HASH_KEY: Final = b"h" * 32


def listed(
    right: Right,
    *,
    risk_minor: int = 0,
    limit_minor: int = 0,
    begins_at: datetime = ISSUED,
    until: datetime | None = None,
) -> ListedPlate:
    return ListedPlate(b"", right, begins_at, until, risk_minor, limit_minor)


def policy(  # noqa: PLR0913 - a policy has so many parts
    plates: Mapping[str, ListedPlate] | None = None,
    *,
    lane_id: UUID = LANE,
    version: int = 1,
    direction: str = "exit",
    fallback: Fallback = Fallback.ASK_STAFF,
    cars: int = 2,
    amount_minor: int = 5000,
    car_risk_minor: int = 3000,
    issued_at: datetime = ISSUED,
    hours: int = 24,
) -> PolicyBundle:
    hashed = {hash_plate(HASH_KEY, text): item for text, item in (plates or {}).items()}
    return PolicyBundle(
        version=version,
        lane_id=lane_id,
        place_id=lane_id,
        direction=direction,
        issued_at=issued_at,
        valid_from=issued_at,
        valid_until=issued_at + timedelta(hours=hours),
        currency="CNY",
        hash_key=HASH_KEY,
        fallback=fallback,
        cap=RiskCap(cars, amount_minor),
        car_risk_minor=car_risk_minor,
        texts={"open": ["Goodbye"], "closed": ["Cannot open"], "staff": ["Please call staff"]},
        plates={name: replace(item, plate_hash=name) for name, item in hashed.items()},
    )


def signed(bundle: PolicyBundle, key: Ed25519PrivateKey = KEY) -> tuple[bytes, bytes, bytes]:
    """Return a policy's bytes, its signature, and the public key."""
    raw = encode(bundle)
    return raw, key.sign(SIGNED_AS + raw), key.public_key().public_bytes_raw()
