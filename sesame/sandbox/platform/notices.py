"""The notices that wait to be posted: what happened, not yet how it is said."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sesame.sandbox.platform.outcomes import DELIVERIES, HELD, NORMAL, PROBE, STALE
from sesame.sandbox.platform.store import Json, Store

STALE_S = 600
HOLD_MS = 2000


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """A notice that is to be posted.

    Attributes:
        id: The same in every repetition.
        kind: `charge.succeeded`, `agreement.signed` and so on, or a word of the wire's own.
        subject: The row that it is about, as it was when it happened.
        url: Where this one goes; `None` for where all go.
    """

    serial: int
    id: str
    kind: str
    subject: Json
    occurred_ms: int
    manner: str
    attempts: int
    url: str | None

    @property
    def is_probe(self) -> bool:
        """Whether its signature must be wrong."""
        return self.manner == PROBE

    @property
    def age_s(self) -> int:
        """Return how far back its timestamp must lie."""
        return STALE_S if self.manner == STALE and self.attempts == 0 else 0


class NoticeBook:
    """What is to be told, and what became of it."""

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms

    def add(self, kind: str, subject: Json, manner: str = NORMAL) -> None:
        """Queue a notice; `subject["extra"]["notice_url"]`, where given, is where it goes."""
        now = self._now_ms()
        notice_id = f"ntc_{secrets.token_hex(10)}"
        for delivery in DELIVERIES.get(manner, [NORMAL]):
            held = delivery == HELD
            self._store.insert(
                "notice",
                {
                    "id": notice_id,
                    "kind": kind,
                    "subject": json.dumps(subject, ensure_ascii=False),
                    "occurred_ms": now,
                    "manner": delivery,
                    "url": subject.get("extra", {}).get("notice_url") or None,
                    "due_ms": now + HOLD_MS if held else now,
                    "held": held,
                },
            )

    def due(self, *, limit: int, has_url: bool) -> list[PendingNotice]:
        """Return the notices to post now, oldest first.

        Args:
            limit: At most so many.
            has_url: Whether there is somewhere to post those that do not say where they go.
        """
        rows = self._store.all(
            "select serial, id, kind, subject, occurred_ms, manner, attempts, url from notice"
            " where due_ms <= ? and (url is not null or ?) order by due_ms, serial limit ?",
            self._now_ms(),
            has_url,
            limit,
        )
        return [PendingNotice(**{**row, "subject": json.loads(row["subject"])}) for row in rows]

    def next_due_ms(self, *, has_url: bool) -> int | None:
        """Return when a notice is to be posted."""
        row = self._store.one(
            "select min(due_ms) as due from notice"
            " where due_ms is not null and (url is not null or ?)",
            has_url,
        )
        return row["due"] if row else None

    def tried(
        self, serial: int, *, verdict: str | None, again_ms: int | None, is_done: bool
    ) -> None:
        """Note one delivery; `again_ms` is when to try again, `None` for never."""
        now = self._now_ms()
        self._store.run(
            "update notice set attempts = attempts + 1, verdict = ?, due_ms = ?, delivered_ms = ?"
            " where serial = ?",
            verdict,
            again_ms,
            now if is_done else None,
            serial,
        )
        if is_done:
            # What was held back for the sake of disorder has now been overtaken.
            self._store.run(
                "update notice set held = 0, due_ms = ? where held = 1 and serial < ?", now, serial
            )

    def counts(self) -> Json:
        """Return how many notices there are of each fate."""
        return (
            self._store.one(
                "select count(*) filter (where delivered_ms is not null) as delivered,"
                " count(*) filter (where due_ms is not null) as pending,"
                " count(*) filter (where due_ms is null and delivered_ms is null"
                " and manner != 'probe') as given_up,"
                " count(*) filter (where manner = 'probe' and attempts > 0) as probes,"
                " count(*) filter (where manner = 'probe' and verdict = 'refused')"
                " as probes_refused from notice"
            )
            or {}
        )
