"""The stand-in's books: agreements, orders and refunds, and the notices they cause."""

import json
import secrets

from parking.kit.clock import Clock
from sesame.sandbox.acquirer.objects import Json, Outcome, agreement_json, instant, order_json
from sesame.sandbox.acquirer.scenarios import Scenario
from sesame.sandbox.acquirer.store import Store

PAGE_LIFETIME_MS = 30 * 60 * 1000
# How one notice is delivered, where it is not simply sent until it is answered 204.
_DELIVERIES: dict[str, list[str]] = {
    Scenario.NO_NOTICE: [],
    Scenario.DUPLICATE_NOTICE: ["normal", "normal"],
    Scenario.BAD_SIGNATURE_PROBE: ["probe", "normal"],
    Scenario.STALE_NOTICE: ["stale"],
}


class NumberConflictError(Exception):
    """The number belongs to an order with other parameters."""


class NotFoundError(Exception):
    """The platform has no such thing."""


class Books:
    """Every promise of the platform; each method is one transaction."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def now_ms(self) -> int:
        """Return the platform's time."""
        return int(self._clock.now().timestamp() * 1000)

    def start_agreement(self, asked: Json, manner: str) -> Json:
        """Return the agreement of this number, new or as it is.

        Raises:
            NumberConflictError: see there.
        """
        parameters, now = _canonical(asked), self.now_ms()
        with self._store.transaction():
            self._store.run(
                "insert or ignore into agreement (reference, number, parameters, description,"
                " return_url, token, status, created_ms, expires_ms, manner)"
                " values (?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?)",
                f"agr_{secrets.token_hex(10)}",
                asked["number"],
                parameters,
                asked["description"],
                asked["return_url"],
                secrets.token_urlsafe(18),
                now,
                now + PAGE_LIFETIME_MS,
                manner,
            )
            row = self._agreement("number", asked["number"])
        if row["parameters"] != parameters:
            raise NumberConflictError
        return row

    def agreement(self, reference: str) -> Json:
        """Return an agreement.

        Raises:
            NotFoundError: see there.
        """
        return self._agreement("reference", reference)

    def agreement_by_token(self, token: str) -> Json:
        """Return the agreement of a confirmation page.

        Raises:
            NotFoundError: see there.
        """
        return self._agreement("token", token)

    def confirm_agreement(self, token: str) -> Json:
        """Make a pending agreement active; any other stays as it is."""
        with self._store.transaction():
            row = self._agreement("token", token)
            if row["status"] == "pending":
                self._store.run(
                    "update agreement set status = 'active', signed_ms = ?, payer_hint = ?"
                    " where reference = ?",
                    self.now_ms(),
                    f"•••• {secrets.randbelow(10_000):04d}",
                    row["reference"],
                )
                row = self._agreement("token", token)
                self._notify("agreement.signed", agreement_json(row), row["manner"])
        return row

    def cancel_agreement(self, reference: str) -> Json:
        """End an agreement that has not ended.

        Raises:
            NotFoundError: see there.
        """
        with self._store.transaction():
            row = self._agreement("reference", reference)
            if row["status"] in {"pending", "active"}:
                self._store.run(
                    "update agreement set status = 'cancelled', cancelled_ms = ?"
                    " where reference = ?",
                    self.now_ms(),
                    reference,
                )
                row = self._agreement("reference", reference)
                self._notify("agreement.cancelled", agreement_json(row), row["manner"])
        return row

    def charge(self, asked: Json, outcome: Outcome) -> Json:
        """Return the charge of this number, new or as it is.

        Raises:
            NumberConflictError: see there.
        """
        with self._store.transaction():
            try:
                status = self._agreement("reference", asked["agreement"])["status"]
            except NotFoundError:
                status = None
            if status != "active":
                outcome = Outcome(status="failed", failure_code="agreement_inactive")
            return self._open("order", "charge", asked, outcome, parent=asked["agreement"])

    def checkout(self, asked: Json, manner: str) -> Json:
        """Return the checkout of this number, new or as it is.

        Raises:
            NumberConflictError: see there.
        """
        outcome = Outcome(
            status="accepted",
            due_after_ms=PAGE_LIFETIME_MS,
            due_status="failed",
            due_failure_code="expired",
            manner=manner,
        )
        with self._store.transaction():
            return self._open("order", "checkout", asked, outcome)

    def checkout_by_token(self, token: str) -> Json:
        """Return the checkout of a payment page.

        Raises:
            NotFoundError: see there.
        """
        return self._order("token", token)

    def pay_checkout(self, token: str) -> Json:
        """Take the money of an accepted checkout; any other stays as it is."""
        with self._store.transaction():
            self._settle_due()
            row = self._order("token", token)
            if row["status"] == "accepted":
                row = self._settle(row, "succeeded", None)
        return row

    def order(self, space: str, number: str) -> Json:
        """Return an order or a refund.

        Raises:
            NotFoundError: see there.
        """
        return self._order("number", number, space)

    def close(self, number: str) -> Json:
        """Stop an order that has taken no money; remember a number that never came."""
        with self._store.transaction():
            self._settle_due()
            try:
                row = self._order("number", number)
            except NotFoundError:
                self._store.run(
                    "insert into orders (space, number, status, failure_code, manner, created_ms)"
                    " values ('order', ?, 'failed', 'closed', 'normal', ?)",
                    number,
                    self.now_ms(),
                )
                return self._order("number", number)
            if row["status"] == "accepted" and not row["guaranteed"]:
                row = self._settle(row, "failed", "closed")
        return row

    def refund(self, asked: Json, outcome: Outcome) -> Json:
        """Return the refund of this number, new or as it is.

        Raises:
            NumberConflictError: see there.
        """
        with self._store.transaction():
            self._settle_due()
            refusal = self._refund_refusal(asked)
            if refusal:
                outcome = Outcome(status="failed", failure_code=refusal)
            return self._open("refund", "refund", asked, outcome, parent=asked["charge"])

    def settle_due(self) -> None:
        """Let time do what it owes: accepted orders end."""
        with self._store.transaction():
            self._settle_due()

    def _settle_due(self) -> None:
        rows = self._store.all("select * from orders where due_ms <= ?", self.now_ms())
        for row in rows:
            self._settle(row, row["due_status"], row["due_failure_code"])

    def _refund_refusal(self, asked: Json) -> str | None:
        try:
            charge = self._order("number", asked["charge"])
        except NotFoundError:
            return "not_refundable"
        if charge["status"] != "succeeded":
            return "not_refundable"
        if charge["currency"] != asked["currency"]:
            return "currency_mismatch"
        given = self._store.one(
            "select coalesce(sum(amount_minor), 0) as total from orders"
            " where space = 'refund' and parent = ? and status != 'failed' and number != ?",
            asked["charge"],
            asked["number"],
        )
        total = given["total"] if given else 0
        return "exceeds_charge" if total + asked["amount_minor"] > charge["amount_minor"] else None

    def _open(
        self, space: str, kind: str, asked: Json, outcome: Outcome, parent: str | None = None
    ) -> Json:
        parameters, now = _canonical({"kind": kind, **asked}), self.now_ms()
        due_ms = None if outcome.due_after_ms is None else now + outcome.due_after_ms
        values: Json = {
            "space": space,
            "number": asked["number"],
            "kind": kind,
            "parent": parent,
            "parameters": parameters,
            "amount_minor": asked["amount_minor"],
            "currency": asked["currency"],
            "description": asked.get("description") or asked.get("reason"),
            "return_url": asked.get("return_url"),
            "token": secrets.token_urlsafe(18) if kind == "checkout" else None,
            "reference": f"{'rfn' if space == 'refund' else 'txn'}_{secrets.token_hex(10)}",
            "status": outcome.status,
            "guaranteed": outcome.guaranteed,
            "failure_code": outcome.failure_code,
            "manner": outcome.manner,
            "created_ms": now,
            "settled_ms": None if outcome.status == "accepted" else now,
            "due_ms": due_ms,
            "due_status": outcome.due_status,
            "due_failure_code": outcome.due_failure_code,
        }
        marks = ", ".join("?" * len(values))
        created = self._store.run(
            f"insert or ignore into orders ({', '.join(values)}) values ({marks})",  # noqa: S608 - our own column names
            *values.values(),
        )
        row = self._order("number", asked["number"], space)
        if row["parameters"] not in {parameters, None}:
            raise NumberConflictError
        if created:
            self._notify_of(row)
        return row

    def _settle(self, row: Json, status: str, failure_code: str | None) -> Json:
        self._store.run(
            "update orders set status = ?, failure_code = ?, settled_ms = ?, due_ms = null"
            " where space = ? and number = ? and status = 'accepted'",
            status,
            failure_code,
            self.now_ms(),
            row["space"],
            row["number"],
        )
        settled = self._order("number", row["number"], row["space"])
        self._notify_of(settled)
        return settled

    def _notify_of(self, row: Json) -> None:
        if row["status"] != "accepted":
            topic = "refund" if row["space"] == "refund" else "charge"
            data = order_json(row)
            if row["manner"] == Scenario.WRONG_AMOUNT:
                data["amount_minor"] += 1
            self._notify(f"{topic}.{row['status']}", data, row["manner"])

    def _notify(self, kind: str, data: Json, manner: str) -> None:
        now = self.now_ms()
        notice_id = f"ntc_{secrets.token_hex(10)}"
        envelope = {"id": notice_id, "type": kind, "occurred_at": instant(now), "data": data}
        body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
        for delivery in _DELIVERIES.get(manner, ["normal"]):
            self._store.run(
                "insert into notice (id, body, manner, due_ms) values (?, ?, ?, ?)",
                notice_id,
                body,
                delivery,
                now,
            )

    def _agreement(self, column: str, value: str) -> Json:
        statements = {
            "reference": "select * from agreement where reference = ?",
            "number": "select * from agreement where number = ?",
            "token": "select * from agreement where token = ?",
        }
        row = self._store.one(statements[column], value)
        if row is None:
            raise NotFoundError
        if row["status"] == "pending" and row["expires_ms"] <= self.now_ms():
            row["status"] = "expired"
        return row

    def _order(self, column: str, value: str, space: str = "order") -> Json:
        statements = {
            "number": "select * from orders where number = ? and space = ?",
            "token": "select * from orders where token = ? and space = ?",
        }
        row = self._store.one(statements[column], value, space)
        if row is None:
            raise NotFoundError
        return row


def _canonical(asked: Json) -> str:
    return json.dumps(asked, sort_keys=True, ensure_ascii=False)
