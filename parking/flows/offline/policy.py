"""Lanes' signed policies: built when what they say has changed, and handed over in parts."""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.lane_types import POLICY_LANES_MAX, Lane, PolicyPart
from parking.flows.offline.drafts import LaneDraft, draft_policies
from parking.kit.crypto import Vault
from parking.kit.errors import InvalidInputError
from parking.offline import bundle as bundles
from parking.offline import repository
from parking.offline.bundle import ListedPlate
from parking.offline.models import OfflinePolicy
from parking.offline.repository import PolicyStamp

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CHUNK_BYTES_MAX: Final = 40 * 1024
BUNDLE_CONTEXT: Final = "offline_policy"
KEY_PURPOSE: Final = "offline_policy"
# A policy may have a megabyte: so many are in memory, and in one transaction, at a time.
STORED_AT_ONCE_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class _News:
    """A policy that says something else than the lane's newest, or the same when that is old."""

    draft: LaneDraft
    version: int
    fingerprint: str


async def refresh(context: ParkingContext, lanes: Sequence[Lane]) -> dict[UUID, int]:
    """Bring the policies of lanes of one place up to date.

    A policy that says the same is kept until half of its time is over.

    Args:
        context: The domain.
        lanes: At most `POLICY_LANES_MAX`.

    Returns:
        The version of each lane, by its id; 0 where it has none, or none that is true.

    Raises:
        InvalidInputError: too many lanes, or lanes of several places; or it is one lane whose
            policy would be too long.
    """
    _check(lanes)
    versions = {lane.lane_id: 0 for lane in lanes}
    if not lanes or context.receipts is None:
        return versions
    async with context.database.begin() as unit:
        known = await repository.find_stamps(unit, lanes[0].operator_id, versions)
        drafts = await draft_policies(unit, lanes)
        now = unit.now()
    # Sorting and hashing thousands of plates takes a moment, in which no lane's event may wait.
    news = await asyncio.to_thread(_news, drafts, known, now)
    versions |= {lane_id: stamp.version for lane_id, stamp in known.items()}
    for first in range(0, len(news), STORED_AT_ONCE_MAX):
        some = news[first : first + STORED_AT_ONCE_MAX]
        made, refused = await asyncio.to_thread(_made, context, some)
        versions |= dict.fromkeys(refused, 0) | await _store(context, made)
        for lane_id, error in refused.items():
            if len(lanes) == 1:
                raise error
            _log.warning("policy_refused", error=str(error), lane_id=str(lane_id))
    return versions


def _check(lanes: Sequence[Lane]) -> None:
    if len(lanes) > POLICY_LANES_MAX:
        raise InvalidInputError("lanes", f"at most {POLICY_LANES_MAX}")
    if len({(lane.operator_id, lane.place_id) for lane in lanes}) > 1:
        raise InvalidInputError("lanes", "lanes of one place")


def _news(
    drafts: Sequence[LaneDraft], known: dict[UUID, PolicyStamp], now: datetime
) -> list[_News]:
    found: list[_News] = []
    for draft in drafts:
        said = draft.plates.fingerprint(draft.bundle)
        stamp = known.get(draft.lane.lane_id)
        if stamp is None or stamp.fingerprint != said or not _is_young(stamp, now):
            found.append(_News(draft, 1 if stamp is None else stamp.version + 1, said))
    return found


async def _store(context: ParkingContext, made: Sequence[OfflinePolicy]) -> dict[UUID, int]:
    """Keep policies; returns the version that each lane has then."""
    if not made:
        return {}
    versions: dict[UUID, int] = {}
    async with context.database.begin() as unit:
        for policy in made:
            if await repository.store_policy(unit, policy):
                versions[policy.lane_id] = policy.version
    others = [policy.lane_id for policy in made if policy.lane_id not in versions]
    if others:
        # Somebody else made a newer one meanwhile.
        async with context.database.begin() as unit:
            newer = await repository.find_stamps(unit, made[0].operator_id, others)
        versions |= {lane_id: stamp.version for lane_id, stamp in newer.items()}
    return versions


def _made(
    context: ParkingContext, news: Sequence[_News]
) -> tuple[list[OfflinePolicy], dict[UUID, InvalidInputError]]:
    """Return signed policies, and why there is none for the other lanes."""
    made: list[OfflinePolicy] = []
    refused: dict[UUID, InvalidInputError] = {}
    for item in news:
        try:
            made.append(_signed(context, item))
        except InvalidInputError as error:
            refused[item.draft.lane.lane_id] = error
    return made, refused


def _signed(context: ParkingContext, news: _News) -> OfflinePolicy:
    if context.receipts is None:
        raise RuntimeError("a policy needs a key to sign it")
    draft, vault = news.draft, context.vault
    raw = _encode(vault, draft, news.version)
    key_name, signature = context.receipts.sign_bytes(bundles.SIGNED_AS + raw)
    return OfflinePolicy(
        operator_id=draft.lane.operator_id,
        lane_id=draft.lane.lane_id,
        version=news.version,
        issued_at=draft.bundle.issued_at,
        valid_until=draft.bundle.valid_until,
        plates=len(draft.plates),
        fingerprint=news.fingerprint,
        signing_key=key_name,
        signature=signature,
        bundle_sealed=vault.seal(base64.b64encode(raw).decode(), context=BUNDLE_CONTEXT),
    )


async def part(context: ParkingContext, lane: Lane, have_version: int, chunk: int) -> PolicyPart:
    """Return a part of a lane's newest policy; an empty one where its agent has that version.

    Raises:
        InvalidInputError: the policy has no such part.
    """
    async with context.database.begin() as unit:
        stamp = (await repository.find_stamps(unit, lane.operator_id, [lane.lane_id])).get(
            lane.lane_id
        )
        if stamp is None or context.receipts is None:
            return PolicyPart(version=0)
        if stamp.version == have_version or stamp.signing_key not in context.receipts.keys:
            return PolicyPart(version=stamp.version)
        policy = await repository.find_policy(unit, lane.operator_id, lane.lane_id)
        if policy is None or policy.signing_key not in context.receipts.keys:
            return PolicyPart(version=stamp.version)
        raw = base64.b64decode(unit.vault.open(policy.bundle_sealed, context=BUNDLE_CONTEXT))
    chunks = -(-len(raw) // CHUNK_BYTES_MAX)
    if chunk >= chunks:
        raise InvalidInputError("chunk", f"less than {chunks}")
    return PolicyPart(
        version=policy.version,
        chunk=chunk,
        chunks=chunks,
        public_key=context.receipts.keys[policy.signing_key].public_bytes_raw(),
        signature=policy.signature,
        data=raw[chunk * CHUNK_BYTES_MAX : (chunk + 1) * CHUNK_BYTES_MAX],
    )


def _encode(vault: Vault, draft: LaneDraft, version: int) -> bytes:
    """Return the text of a lane's policy, with the plates under a key of this lane and version."""
    key = vault.digest(KEY_PURPOSE, f"{draft.lane.lane_id}|{version}")
    plates: dict[bytes, ListedPlate] = {}
    for plate, item in draft.plates.opened(vault):
        hashed = bundles.hash_plate(key, plate)
        plates[hashed] = ListedPlate(
            hashed, item.right, item.begins_at, item.until, item.risk_minor, item.limit_minor
        )
    return bundles.encode(replace(draft.bundle, version=version, hash_key=key, plates=plates))


def _is_young(policy: PolicyStamp, now: datetime) -> bool:
    return now < policy.issued_at + (policy.valid_until - policy.issued_at) / 2
