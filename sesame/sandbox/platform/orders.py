"""Charges, checkouts and refunds in the books, and the notices that they cause."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sesame.sandbox.platform.agreements import AgreementBook
from sesame.sandbox.platform.errors import NotFoundError, NumberConflictError
from sesame.sandbox.platform.notices import NoticeBook
from sesame.sandbox.platform.outcomes import NORMAL, Outcome
from sesame.sandbox.platform.scenarios import Scenario
from sesame.sandbox.platform.store import Json, Store, canonical

ORDER = "order"
REFUND = "refund"
CLOSED = "closed"
CHARGE_KIND = "charge"
CHECKOUT_KIND = "checkout"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What a merchant asks for.

    Attributes:
        parameters: What must be the same when the number comes again.
        parent: The agreement of a charge, the refunded number of a refund.
        reference: The platform's transaction id; made up where it is not given.
        extra: What only the wire knows. `notice_url` is where this order's notices go.
    """

    number: str
    amount_minor: int
    currency: str
    parameters: Json
    description: str = ""
    parent: str | None = None
    return_url: str | None = None
    reference: str | None = None
    extra: Json = field(default_factory=dict[str, object])


class OrderBook:
    """Every promise about money; each method is one transaction."""

    def __init__(
        self,
        store: Store,
        agreements: AgreementBook,
        notices: NoticeBook,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._agreements = agreements
        self._notices = notices
        self._now_ms = now_ms

    def charge(self, asked: NewOrder, outcome: Outcome) -> Json:
        """Return the charge of this number, new or as it is.

        Raises:
            NumberConflictError: see there.
        """
        with self._store.transaction():
            if not self._is_agreed(asked.parent):
                outcome = Outcome(status="failed", failure_code="agreement_inactive")
            return self._open(ORDER, CHARGE_KIND, asked, outcome)

    def checkout(self, asked: NewOrder, outcome: Outcome) -> Json:
        """Return the checkout of this number, new or as it is.

        Raises:
            NumberConflictError: see there.
        """
        with self._store.transaction():
            return self._open(ORDER, CHECKOUT_KIND, asked, outcome)

    def refund(self, asked: NewOrder, outcome: Outcome) -> Json:
        """Return the refund of this number, new or as it is; `parent` is what it refunds.

        Raises:
            NumberConflictError: see there.
        """
        with self._store.transaction():
            self.settle_due()
            refusal = self._refund_refusal(asked)
            if refusal:
                outcome = Outcome(status="failed", failure_code=refusal)
            return self._open(REFUND, REFUND, asked, outcome)

    def get(self, space: str, number: str) -> Json:
        """Return an order or a refund.

        Raises:
            NotFoundError: see there.
        """
        return self._row(
            "select * from orders where number = ? and space = ?",
            number,
            space,
        )

    def by_token(self, token: str) -> Json:
        """Return the checkout of a payment page.

        Raises:
            NotFoundError: see there.
        """
        return self._row("select * from orders where token = ?", token)

    def by_reference(self, space: str, reference: str) -> Json:
        """Return the order or the refund of the platform's own id.

        Raises:
            NotFoundError: see there.
        """
        return self._row(
            "select * from orders where reference = ? and space = ?",
            reference,
            space,
        )

    def children(self, space: str, parent: str) -> list[Json]:
        """Return an agreement's charges, or an order's refunds, oldest first."""
        return self._store.all(
            "select * from orders where parent = ? and space = ? order by created_ms, rowid",
            parent,
            space,
        )

    def pay(self, token: str, extra: Json | None = None) -> Json:
        """Take the money of an accepted checkout; any other stays as it is.

        Raises:
            NotFoundError: see there.
        """
        with self._store.transaction():
            self.settle_due()
            row = self.by_token(token)
            return self.settle(ORDER, row["number"], "succeeded", extra=extra)

    def close(self, number: str) -> Json:
        """Stop an order that has taken no money; remember a number that never came."""
        with self._store.transaction():
            self.settle_due()
            self._store.insert(
                "orders",
                {
                    "space": ORDER,
                    "number": number,
                    "status": "failed",
                    "failure_code": CLOSED,
                    "manner": NORMAL,
                    "created_ms": self._now_ms(),
                },
            )
            row = self.get(ORDER, number)
            if row["status"] == "accepted" and not row["guaranteed"]:
                row = self.settle(ORDER, number, "failed", failure_code=CLOSED)
        return row

    def settle(
        self,
        space: str,
        number: str,
        status: str,
        *,
        failure_code: str | None = None,
        extra: Json | None = None,
    ) -> Json:
        """End an accepted order; any other stays as it is.

        Raises:
            NotFoundError: see there.
        """
        with self._store.transaction():
            row = self.get(space, number)
            changed = self._store.run(
                "update orders set status = ?, failure_code = ?, settled_ms = ?, due_ms = null,"
                " extra = ? where space = ? and number = ? and status = 'accepted'",
                status,
                failure_code,
                self._now_ms(),
                json.dumps({**row["extra"], **(extra or {})}, ensure_ascii=False),
                space,
                number,
            )
            row = self.get(space, number)
            if changed:
                self._notify_of(row)
        return row

    def note(self, space: str, number: str, extra: Json) -> Json:
        """Change what only the wire knows.

        Raises:
            NotFoundError: see there.
        """
        with self._store.transaction():
            row = self.get(space, number)
            self._store.run(
                "update orders set extra = ? where space = ? and number = ?",
                json.dumps({**row["extra"], **extra}, ensure_ascii=False),
                space,
                number,
            )
            return self.get(space, number)

    def repay(self, number: str) -> Json:
        """Note that the payer gave the platform its advance back.

        Raises:
            NotFoundError: there is no advance under this number.
        """
        with self._store.transaction():
            row = self.get(ORDER, number)
            if "advance" not in row["extra"]:
                raise NotFoundError
            if row["extra"]["advance"] != "repaid":
                row = self.note(ORDER, number, {"advance": "repaid"})
                self._notices.add("payer.repaid", row, row["manner"])
        return row

    def settle_due(self) -> None:
        """Let time do what it owes: accepted orders end."""
        with self._store.transaction():
            rows = self._store.all("select * from orders where due_ms <= ?", self._now_ms())
            for row in rows:
                self.settle(
                    row["space"],
                    row["number"],
                    row["due_status"],
                    failure_code=row["due_failure_code"],
                )

    def next_due_ms(self) -> int | None:
        """Return when an accepted order ends."""
        row = self._store.one("select min(due_ms) as due from orders where due_ms is not null")
        return row["due"] if row else None

    def _is_agreed(self, reference: str | None) -> bool:
        try:
            return self._agreements.get(reference or "")["status"] == "active"
        except NotFoundError:
            return False

    def _refund_refusal(self, asked: NewOrder) -> str | None:
        try:
            charge = self.get(ORDER, asked.parent or "")
        except NotFoundError:
            return "not_refundable"
        if charge["status"] != "succeeded":
            return "not_refundable"
        if charge["currency"] != asked.currency:
            return "currency_mismatch"
        given = self._store.one(
            "select coalesce(sum(amount_minor), 0) as total from orders"
            " where space = 'refund' and parent = ? and status != 'failed' and number != ?",
            asked.parent,
            asked.number,
        )
        total = given["total"] if given else 0
        return "exceeds_charge" if total + asked.amount_minor > charge["amount_minor"] else None

    def _open(self, space: str, kind: str, asked: NewOrder, outcome: Outcome) -> Json:
        parameters, now = canonical({"kind": kind, **asked.parameters}), self._now_ms()
        due_ms = None if outcome.due_after_ms is None else now + outcome.due_after_ms
        prefix = "rfn" if space == REFUND else "txn"
        is_new = self._store.insert(
            "orders",
            {
                "space": space,
                "number": asked.number,
                "kind": kind,
                "parent": asked.parent,
                "parameters": parameters,
                "amount_minor": asked.amount_minor,
                "currency": asked.currency,
                "description": asked.description,
                "return_url": asked.return_url,
                "token": secrets.token_urlsafe(18) if kind == CHECKOUT_KIND else None,
                "reference": asked.reference or f"{prefix}_{secrets.token_hex(10)}",
                "extra": json.dumps({**asked.extra, **outcome.extra}, ensure_ascii=False),
                "status": outcome.status,
                "guaranteed": outcome.guaranteed,
                "failure_code": outcome.failure_code,
                "manner": outcome.manner,
                "created_ms": now,
                "settled_ms": None if outcome.status == "accepted" else now,
                "due_ms": due_ms,
                "due_status": outcome.due_status,
                "due_failure_code": outcome.due_failure_code,
            },
        )
        row = self.get(space, asked.number)
        if row["parameters"] not in {parameters, None}:
            raise NumberConflictError
        if is_new:
            self._notify_of(row)
        return row

    def _notify_of(self, row: Json) -> None:
        if row["status"] != "accepted":
            topic = "refund" if row["space"] == REFUND else "charge"
            told = dict(row)
            if row["manner"] == Scenario.WRONG_AMOUNT:
                told["amount_minor"] += 1
            self._notices.add(f"{topic}.{row['status']}", told, row["manner"])

    def _row(self, statement: str, *values: str) -> Json:
        row = self._store.one(statement, *values)
        if row is None:
            raise NotFoundError
        return row
