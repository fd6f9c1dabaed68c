"""What was answered to a request that its client may send again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from parking.kit.columns import Row, Timestamp


class IdempotencyKey(Row, table=True):
    """One act that somebody named with a key of their own; forgotten after a while.

    The key and the input are kept as keyed digests and the answer is sealed: all of them may have
    a plate in them.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created", "created_at"),)

    actor_id: UUID = Field(primary_key=True)
    mutation: str = Field(primary_key=True)
    key_digest: bytes = Field(primary_key=True)
    input_digest: bytes
    answer_sealed: bytes | None = None
    leased_until: datetime = Field(sa_type=Timestamp)
    created_at: datetime = Field(sa_type=Timestamp)
