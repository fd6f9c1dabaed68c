"""One act for one key, however often the request arrives: reserved, answered, answered again.

A request takes its key before it acts and leaves its answer there after. In between the key is
leased: a process that dies leaves it to whoever asks next, and what the act itself is unique by
(the bill that is paid once, the claim that is there already) keeps it from being done twice.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.idempotency.errors import IdempotencyKeyInUseError, IdempotencyKeyReusedError
from parking.kit.crypto import same_digest
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError

KEY_LENGTH_MIN: Final = 8
KEY_LENGTH_MAX: Final = 64
# Longer than an operation may take, so that none of two ever works under one key.
LEASE: Final = timedelta(seconds=30)
# A phone that lost its answer in a garage asks again within the day; the second is a reserve.
KEPT: Final = timedelta(days=2)
RETRY_AFTER_S: Final = 1
_SEAL_CONTEXT: Final = "idempotency_keys.answer"

_WHICH = "actor_id = :actor_id AND mutation = :mutation AND key_digest = :key_digest"
_RESERVE: Final = text(
    "INSERT INTO idempotency_keys AS kept "
    "(actor_id, mutation, key_digest, input_digest, leased_until, created_at) "
    "VALUES (:actor_id, :mutation, :key_digest, :input_digest, :leased_until, :now) "
    "ON CONFLICT (actor_id, mutation, key_digest) DO UPDATE "
    "SET leased_until = :leased_until "
    "WHERE kept.answer_sealed IS NULL AND kept.leased_until <= :now "
    "AND kept.input_digest = :input_digest "
    "RETURNING 1"
)
_FIND: Final = text(f"SELECT input_digest, answer_sealed FROM idempotency_keys WHERE {_WHICH}")  # noqa: S608
_FINISH: Final = text(f"UPDATE idempotency_keys SET answer_sealed = :answer WHERE {_WHICH}")  # noqa: S608
_RELEASE: Final = text(
    f"DELETE FROM idempotency_keys WHERE {_WHICH} AND answer_sealed IS NULL"  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class NamedAct:
    """One act as its client names it.

    Attributes:
        actor_id: The driver, or the staff member.
        mutation: Its name in the schema: the same key of another mutation is another act.
        key: Chosen by the client.
        request: What was asked for, as one text.
    """

    actor_id: UUID
    mutation: str
    key: str
    request: str


def require_key(key: str) -> None:
    """Let a usable key pass.

    Raises:
        InvalidInputError: it is too short, too long, or not printable ASCII.
    """
    is_plain = key.isascii() and key.isprintable()
    if not is_plain or not KEY_LENGTH_MIN <= len(key) <= KEY_LENGTH_MAX:
        raise InvalidInputError(
            "idempotencyKey", f"{KEY_LENGTH_MIN} to {KEY_LENGTH_MAX} printable ASCII characters"
        )


async def reserve(unit: UnitOfWork, act: NamedAct) -> str | None:
    """Take the key for the act; returns what was answered where it is done already.

    Raises:
        IdempotencyKeyInUseError: the first request is at work.
        IdempotencyKeyReusedError: the key belongs to another input.
    """
    input_digest = unit.vault.digest("idempotency_input", act.request)
    given = {
        **_key(unit, act),
        "input_digest": input_digest,
        "leased_until": unit.now() + LEASE,
        "now": unit.now(),
    }
    if (await unit.run(_RESERVE, given)).rowcount == 1:
        return None
    found = (await unit.run(_FIND, _key(unit, act))).one_or_none()
    if found is None:
        # Refused and given back in this very moment: the next request may take it.
        raise IdempotencyKeyInUseError(RETRY_AFTER_S)
    if not same_digest(bytes(found.input_digest), input_digest):
        raise IdempotencyKeyReusedError
    if found.answer_sealed is None:
        raise IdempotencyKeyInUseError(RETRY_AFTER_S)
    return unit.vault.open(bytes(found.answer_sealed), context=_SEAL_CONTEXT)


async def finish(unit: UnitOfWork, act: NamedAct, answer: str) -> None:
    """Keep what was answered."""
    sealed = unit.vault.seal(answer, context=_SEAL_CONTEXT)
    await unit.run(_FINISH, {**_key(unit, act), "answer": sealed})


async def release(unit: UnitOfWork, act: NamedAct) -> None:
    """Give the key back: the act was refused, and nothing was done."""
    await unit.run(_RELEASE, _key(unit, act))


def _key(unit: UnitOfWork, act: NamedAct) -> dict[str, object]:
    digest = unit.vault.digest("idempotency_key", act.key)
    return {"actor_id": act.actor_id, "mutation": act.mutation, "key_digest": digest}
