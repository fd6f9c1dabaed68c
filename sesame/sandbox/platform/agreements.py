"""Agreements in the books: started by the merchant, confirmed by the payer, ended by either."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sesame.sandbox.platform.errors import NotFoundError, NumberConflictError
from sesame.sandbox.platform.notices import NoticeBook
from sesame.sandbox.platform.outcomes import NORMAL, PAGE_LIFETIME_MS
from sesame.sandbox.platform.store import Json, Store, canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgreement:
    """What a merchant asks for.

    Attributes:
        parameters: What must be the same when the number comes again.
        reference: The platform's name for it; made up where it is not given.
        extra: What only the wire knows: the payer, the plate, the instrument.
    """

    number: str
    parameters: Json
    description: str
    return_url: str
    reference: str | None = None
    extra: Json = field(default_factory=dict[str, object])


class AgreementBook:
    """Every promise about agreements; each method is one transaction."""

    def __init__(self, store: Store, notices: NoticeBook, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._notices = notices
        self._now_ms = now_ms

    def start(self, asked: NewAgreement, manner: str = NORMAL) -> Json:
        """Return the agreement of this number, new or as it is.

        Raises:
            NumberConflictError: see there.
        """
        parameters, now = canonical(asked.parameters), self._now_ms()
        with self._store.transaction():
            self._store.insert(
                "agreement",
                {
                    "reference": asked.reference or f"agr_{secrets.token_hex(10)}",
                    "number": asked.number,
                    "parameters": parameters,
                    "description": asked.description,
                    "return_url": asked.return_url,
                    "token": secrets.token_urlsafe(18),
                    "status": "pending",
                    "extra": json.dumps(asked.extra, ensure_ascii=False),
                    "created_ms": now,
                    "expires_ms": now + PAGE_LIFETIME_MS,
                    "manner": manner,
                },
            )
            row = self.by_number(asked.number)
        if row["parameters"] != parameters:
            raise NumberConflictError
        return row

    def get(self, reference: str) -> Json:
        """Return an agreement.

        Raises:
            NotFoundError: see there.
        """
        return self._row("select * from agreement where reference = ?", reference)

    def by_number(self, number: str) -> Json:
        """Return the agreement of the merchant's number.

        Raises:
            NotFoundError: see there.
        """
        return self._row("select * from agreement where number = ?", number)

    def by_token(self, token: str) -> Json:
        """Return the agreement of a confirmation page.

        Raises:
            NotFoundError: see there.
        """
        return self._row("select * from agreement where token = ?", token)

    def where(self, name: str, value: str) -> list[Json]:
        """Return the agreements whose `extra` has this value, oldest first."""
        return self._store.all(
            "select * from agreement where json_extract(extra, '$.' || ?) = ?"
            " order by created_ms, rowid",
            name,
            value,
        )

    def confirm(self, token: str, *, extra: Json | None = None) -> Json:
        """Make a pending agreement active; any other stays as it is.

        Raises:
            NotFoundError: see there.
        """
        with self._store.transaction():
            row = self.by_token(token)
            if row["status"] == "pending":
                self._store.run(
                    "update agreement set status = 'active', signed_ms = ?, payer_hint = ?,"
                    " extra = ? where reference = ?",
                    self._now_ms(),
                    f"•••• {secrets.randbelow(10_000):04d}",
                    json.dumps({**row["extra"], **(extra or {})}, ensure_ascii=False),
                    row["reference"],
                )
                row = self.by_token(token)
                self._notices.add("agreement.signed", row, row["manner"])
        return row

    def cancel(self, reference: str) -> Json:
        """End an agreement that has not ended.

        Raises:
            NotFoundError: see there.
        """
        with self._store.transaction():
            row = self.get(reference)
            if row["status"] in {"pending", "active"}:
                self._store.run(
                    "update agreement set status = 'cancelled', cancelled_ms = ?"
                    " where reference = ?",
                    self._now_ms(),
                    reference,
                )
                row = self.get(reference)
                self._notices.add("agreement.cancelled", row, row["manner"])
        return row

    def note(self, reference: str, extra: Json) -> Json:
        """Change what only the wire knows.

        Raises:
            NotFoundError: see there.
        """
        with self._store.transaction():
            row = self.get(reference)
            self._store.run(
                "update agreement set extra = ? where reference = ?",
                json.dumps({**row["extra"], **extra}, ensure_ascii=False),
                reference,
            )
            return self.get(reference)

    def _row(self, statement: str, value: str) -> Json:
        row = self._store.one(statement, value)
        if row is None:
            raise NotFoundError
        if row["status"] == "pending" and row["expires_ms"] <= self._now_ms():
            row["status"] = "expired"
        return row
