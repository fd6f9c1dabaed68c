"""Money that a payer's bank takes back, in the books."""

import secrets
from collections.abc import Callable

from sesame.sandbox.platform.errors import NotFoundError
from sesame.sandbox.platform.notices import NoticeBook
from sesame.sandbox.platform.orders import ORDER, OrderBook
from sesame.sandbox.platform.store import Json, Store


class ChargebackBook:
    """At most one chargeback for a charge; each method is one transaction."""

    def __init__(
        self, store: Store, orders: OrderBook, notices: NoticeBook, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._orders = orders
        self._notices = notices
        self._now_ms = now_ms

    def open(self, number: str, *, reason: str, amount_minor: int | None = None) -> Json:
        """Take a succeeded order's money back; one that exists stays as it is.

        Raises:
            NotFoundError: no such order has taken money.
        """
        with self._store.transaction():
            order = self._orders.get(ORDER, number)
            if order["status"] != "succeeded":
                raise NotFoundError
            is_new = self._store.insert(
                "chargeback",
                {
                    "reference": f"cbk_{secrets.token_hex(10)}",
                    "number": number,
                    "amount_minor": min(
                        amount_minor or order["amount_minor"], order["amount_minor"]
                    ),
                    "currency": order["currency"],
                    "reason": reason,
                    "status": "opened",
                    "created_ms": self._now_ms(),
                },
            )
            row = self.get(number)
            if is_new:
                self._notify_of(row, order)
        return row

    def resolve(self, number: str, *, is_won: bool) -> Json:
        """Decide an open chargeback; a decided one stays as it is.

        Raises:
            NotFoundError: see there.
        """
        with self._store.transaction():
            changed = self._store.run(
                "update chargeback set status = ?, settled_ms = ?"
                " where number = ? and status = 'opened'",
                "won" if is_won else "lost",
                self._now_ms(),
                number,
            )
            row = self.get(number)
            if changed:
                self._notify_of(row, self._orders.get(ORDER, number))
        return row

    def get(self, number: str) -> Json:
        """Return the chargeback of an order.

        Raises:
            NotFoundError: see there.
        """
        row = self._store.one("select * from chargeback where number = ?", number)
        if row is None:
            raise NotFoundError
        return row

    def _notify_of(self, row: Json, order: Json) -> None:
        notice_url = order["extra"].get("notice_url")
        extra = {**row["extra"], **({"notice_url": notice_url} if notice_url else {})}
        self._notices.add(
            f"chargeback.{row['status']}",
            {**row, "extra": extra, "order": order},
        )
