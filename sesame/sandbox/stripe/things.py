"""What the shared books have no place for: customers, cards, and the answers kept by their keys."""

import json
import secrets
from dataclasses import dataclass

from sesame.sandbox.platform import Json, Store

KEY_LIFETIME_MS = 24 * 3600 * 1000

_SCHEMA = """
create table if not exists stripe_thing (
    id text primary key, kind text not null, owner text, created_ms integer not null,
    content text not null);
create index if not exists stripe_thing_owner on stripe_thing (kind, owner);
create table if not exists stripe_key (
    key text primary key, target text not null, parameters text not null,
    status integer not null, body text not null, created_ms integer not null)
"""


def new_id(prefix: str) -> str:
    """Return an id of Stripe's form."""
    return f"{prefix}_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The first answer to an idempotency key."""

    target: str
    parameters: str
    status: int
    body: str


class Things:
    """Objects by id, and answers by key."""

    def __init__(self, store: Store) -> None:
        self._store = store
        for statement in _SCHEMA.split(";"):
            store.run(statement)

    def put(self, kind: str, content: Json, *, owner: str | None, now_ms: int) -> Json:
        """Store an object, or store it again."""
        self._store.run(
            "insert into stripe_thing values (?1, ?2, ?3, ?4, ?5)"
            " on conflict (id) do update set owner = ?3, content = ?5",
            content["id"],
            kind,
            owner,
            now_ms,
            json.dumps(content, ensure_ascii=False),
        )
        return content

    def get(self, kind: str, identity: str) -> Json | None:
        """Return an object."""
        row = self._store.one(
            "select content from stripe_thing where id = ? and kind = ?", identity, kind
        )
        return None if row is None else json.loads(row["content"])

    def of(self, kind: str, owner: str) -> list[Json]:
        """Return an owner's objects, newest first."""
        rows = self._store.all(
            "select content from stripe_thing where kind = ? and owner = ?"
            " order by created_ms desc, rowid desc",
            kind,
            owner,
        )
        return [json.loads(row["content"]) for row in rows]

    def kept(self, key: str, now_ms: int) -> KeptAnswer | None:
        """Return the first answer to a key that is not a day old."""
        row = self._store.one(
            "select target, parameters, status, body from stripe_key"
            " where key = ? and created_ms > ?",
            key,
            now_ms - KEY_LIFETIME_MS,
        )
        return None if row is None else KeptAnswer(**row)

    def keep(self, key: str, answer: KeptAnswer, now_ms: int) -> None:
        """Remember the first answer to a key."""
        self._store.run(
            "insert or replace into stripe_key values (?, ?, ?, ?, ?, ?)",
            key,
            answer.target,
            answer.parameters,
            answer.status,
            answer.body,
            now_ms,
        )

    def forget_keys(self) -> None:
        """Let a day pass for all keys."""
        self._store.run("delete from stripe_key")
