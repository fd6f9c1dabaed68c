"""The signed policy of one lane: what a gate may do by itself while it has no network.

One canonical JSON text (RFC 8785), signed with Ed25519. Plates stand in it as HMACs under a key
that belongs to this lane and this version; the key is in it too, because the gate needs it. So it
keeps policies from being joined or compared, and does not hide plates from whoever has the policy.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parking.kit.canonical_json import canonical, read_strictly
from parking.kit.errors import InvalidInputError, ParkingError

FORMAT: Final = 1
ENTRIES_MAX: Final = 10_000
BUNDLE_BYTES_MAX: Final = 1024 * 1024
VALID_HOURS_MAX: Final = 72
CARS_MAX: Final = 1000
MONEY_MAX: Final = 10**12
HASH_BYTES: Final = 16
KEY_BYTES: Final = 32
TEXT_LINES_MAX: Final = 4
TEXT_CHARACTERS_MAX: Final = 40
# In front of what is signed: a signature of anything else by the same key is none of a policy.
SIGNED_AS: Final = b"sesame-offline-policy-1\n"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PolicyRefusedError(ParkingError):
    """The policy is not one that this lane may use."""

    code = "POLICY_REFUSED"


class Fallback(StrEnum):
    """What a gate does for a car that its list does not answer for."""

    OPEN = "open"
    CLOSE = "close"
    ASK_STAFF = "ask_staff"


class Right(StrEnum):
    """Why a listed plate may pass."""

    PASS = "pass"  # noqa: S105 - a parking pass, not a password
    REGISTERED = "registered"
    NOTHING_DUE = "nothing_due"
    CREDIT = "credit"
    # Listed to be known: its stay costs money that nobody may let it owe.
    UNPAID = "unpaid"


@dataclass(frozen=True, slots=True)
class ListedPlate:
    """A plate that the policy answers for.

    Attributes:
        plate_hash: As `hash_plate` makes it.
        until: None for as long as the policy is valid.
        risk_minor: What may be lost by letting it out: what it owes when the policy ends.
        limit_minor: What of its driver's credit is left.
    """

    plate_hash: bytes
    right: Right
    begins_at: datetime
    until: datetime | None
    risk_minor: int = 0
    limit_minor: int = 0


@dataclass(frozen=True, slots=True)
class RiskCap:
    """How much may go wrong in one outage."""

    cars: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBundle:
    """What one lane may do by itself.

    Attributes:
        hash_key: Of this lane and version alone.
        car_risk_minor: What a car counts for that is let through without a price.
        plates: By their hashes.
        texts: The display's lines, by what happened: `open`, `closed`, `staff`.
    """

    version: int
    lane_id: UUID
    place_id: UUID
    direction: str
    issued_at: datetime
    valid_from: datetime
    valid_until: datetime
    currency: str
    hash_key: bytes
    fallback: Fallback
    cap: RiskCap
    car_risk_minor: int
    texts: Mapping[str, Sequence[str]]
    plates: Mapping[bytes, ListedPlate]

    def find(self, folded_plate: str) -> ListedPlate | None:
        """Return what the policy says of a plate, spelled as `fold_plate` spells it."""
        return self.plates.get(hash_plate(self.hash_key, folded_plate))


def hash_plate(key: bytes, folded_plate: str) -> bytes:
    """Return the keyed hash by which a policy lists a plate."""
    return hmac.new(key, folded_plate.encode(), hashlib.sha256).digest()[:HASH_BYTES]


def encode(bundle: PolicyBundle) -> bytes:
    """Return the one text of a policy.

    Raises:
        InvalidInputError: it lists too many plates, or is too long.
    """
    if len(bundle.plates) > ENTRIES_MAX:
        raise InvalidInputError("plates", f"at most {ENTRIES_MAX} plates")
    entries = [_entry(bundle.plates[name]) for name in sorted(bundle.plates)]
    raw = canonical(
        {
            "format": FORMAT,
            "version": bundle.version,
            "lane_id": str(bundle.lane_id),
            "place_id": str(bundle.place_id),
            "direction": bundle.direction,
            "issued_at": _seconds(bundle.issued_at),
            "valid_from": _seconds(bundle.valid_from),
            "valid_until": _seconds(bundle.valid_until),
            "currency": bundle.currency,
            "hash_key": _text(bundle.hash_key),
            "fallback": bundle.fallback.value,
            "cars_max": bundle.cap.cars,
            "risk_minor_max": bundle.cap.amount_minor,
            "car_risk_minor": bundle.car_risk_minor,
            "texts": {name: list(lines) for name, lines in bundle.texts.items()},
            "plates": entries,
        }
    )
    if len(raw) > BUNDLE_BYTES_MAX:
        raise InvalidInputError("plates", f"a policy of at most {BUNDLE_BYTES_MAX} bytes")
    return raw


def open_bundle(
    raw: bytes, signature: bytes, key: Ed25519PublicKey, *, lane_id: UUID
) -> PolicyBundle:
    """Return a policy that `key` has signed for a lane.

    Raises:
        PolicyRefusedError: it is too long, altered, malformed, or another lane's.
    """
    if len(raw) > BUNDLE_BYTES_MAX:
        raise PolicyRefusedError(f"policy: expected at most {BUNDLE_BYTES_MAX} bytes")
    try:
        key.verify(signature, SIGNED_AS + raw)
    except InvalidSignature as error:
        raise PolicyRefusedError("policy: its signature is not of the known key") from error
    try:
        bundle = _read(_Form.model_validate(read_strictly(raw, field="policy")))
    except (ValidationError, InvalidInputError, ValueError) as error:
        raise PolicyRefusedError("policy: a field is not as specified") from error
    if bundle.lane_id != lane_id:
        raise PolicyRefusedError("lane_id: expected this lane's policy")
    if (
        not timedelta(0)
        < bundle.valid_until - bundle.valid_from
        <= timedelta(hours=VALID_HOURS_MAX)
    ):
        raise PolicyRefusedError(f"valid_until: expected at most {VALID_HOURS_MAX} hours")
    return bundle


_Lines = Annotated[
    list[Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX)]], Field(max_length=TEXT_LINES_MAX)
]


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    format: int = Field(ge=FORMAT, le=FORMAT)
    version: int = Field(ge=1)
    lane_id: str
    place_id: str
    direction: str = Field(pattern="^(entry|exit)$")
    issued_at: int = Field(ge=0)
    valid_from: int = Field(ge=0)
    valid_until: int = Field(ge=0)
    currency: str = Field(min_length=3, max_length=3)
    hash_key: str
    fallback: str
    cars_max: int = Field(ge=0, le=CARS_MAX)
    risk_minor_max: int = Field(ge=0, le=MONEY_MAX)
    car_risk_minor: int = Field(ge=0, le=MONEY_MAX)
    texts: dict[str, _Lines] = Field(max_length=10)
    plates: list[list[Any]] = Field(max_length=ENTRIES_MAX)


def _read(form: _Form) -> PolicyBundle:
    key = _bytes(form.hash_key)
    if len(key) != KEY_BYTES:
        raise ValueError("hash_key")
    listed = [_listed(entry) for entry in form.plates]
    return PolicyBundle(
        version=form.version,
        lane_id=UUID(form.lane_id),
        place_id=UUID(form.place_id),
        direction=form.direction,
        issued_at=_time(form.issued_at),
        valid_from=_time(form.valid_from),
        valid_until=_time(form.valid_until),
        currency=form.currency,
        hash_key=key,
        fallback=Fallback(form.fallback),
        cap=RiskCap(form.cars_max, form.risk_minor_max),
        car_risk_minor=form.car_risk_minor,
        texts=form.texts,
        plates={item.plate_hash: item for item in listed},
    )


def _entry(item: ListedPlate) -> list[object]:
    until = None if item.until is None else _seconds(item.until)
    return [
        _text(item.plate_hash),
        item.right.value,
        _seconds(item.begins_at),
        until,
        item.risk_minor,
        item.limit_minor,
    ]


def _listed(entry: list[Any]) -> ListedPlate:
    name, right, begins_at, until, risk_minor, limit_minor = entry
    plate_hash = _bytes(name)
    amounts = (risk_minor, limit_minor)
    if len(plate_hash) != HASH_BYTES or not all(
        type(amount) is int and 0 <= amount <= MONEY_MAX for amount in amounts
    ):
        raise ValueError("plates")
    return ListedPlate(
        plate_hash,
        Right(right),
        _time(begins_at),
        None if until is None else _time(until),
        risk_minor,
        limit_minor,
    )


def _seconds(at: datetime) -> int:
    # Downwards: a right ends rather a moment early than late.
    return (at - _EPOCH) // timedelta(seconds=1)


def _time(seconds: int) -> datetime:
    if type(seconds) is not int:
        raise ValueError("time")
    return _EPOCH + timedelta(seconds=seconds)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError("base64url") from error
