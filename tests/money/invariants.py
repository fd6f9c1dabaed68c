"""The ten promises about money, asked of our books and of every provider's own.

Each failure names its number: a seeded bug counts as caught only where one of these caught it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from parking.payments import balances, ledger
from parking.payments.refunds import RETRY_CAUSE
from tests.money.houses import Books, Order
from tests.money.look import LIVE, Row
from tests.money.town import COUPON_MINOR, Town

_BILLS = "SELECT * FROM bills ORDER BY id"
_ATTEMPTS = "SELECT * FROM payment_attempts ORDER BY sent_at, id"
_REFUNDS = "SELECT * FROM refunds ORDER BY id"
_TRANSFERS = "SELECT * FROM ledger_transfers ORDER BY id"
_COMMANDS = """
SELECT c.*, l.direction, s.left_at, s.exit_presentation_id, p.cleared_at
FROM gate_commands c
JOIN access_lanes l ON l.operator_id = c.operator_id AND l.id = c.lane_id
JOIN presentations p ON p.operator_id = c.operator_id AND p.id = c.presentation_id
LEFT JOIN sessions s ON s.operator_id = c.operator_id AND s.id = c.session_id
ORDER BY c.id
"""
_SESSIONS = "SELECT operator_id, id, circumstances FROM sessions"
_COUPONS = "SELECT operator_id, session_id, name FROM session_validations"
UNPAID = frozenset({"issued", "owed"})
# Reasons for which an exit opens, and what each promises about the money.
BY_MONEY = frozenset({"paid", "zero_due"})


class BrokenPromiseError(AssertionError):
    """One of the ten does not hold; `number` says which."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"promise {number} is broken: {what}")
        self.number = number


def require(number: int, holds: object, what: object) -> None:
    """Raise BrokenPromiseError unless it holds."""
    if not holds:
        raise BrokenPromiseError(number, str(what))


class Inspector:
    """Looks at everything after each step; gate commands are judged once, when they appear."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._judged: set[object] = set()

    async def inspect(self) -> None:
        """Check what must hold at every moment.

        Raises:
            BrokenPromiseError: something does not.
        """
        bills, attempts, refunds, transfers, commands, sessions, coupons = await self._town.rows_of(
            _BILLS, _ATTEMPTS, _REFUNDS, _TRANSFERS, _COMMANDS, _SESSIONS, _COUPONS
        )
        books = await self._town.books()
        await self._ledger_sums_to_zero(transfers)
        one_order_per_bill(bills, attempts, books)
        self._gate_by_money(commands, bills, attempts, books)
        receivable_is_unpaid(bills, refunds, transfers)
        a_coupon_binds_once(sessions, coupons, bills)
        refunds_within_captures(attempts, refunds, books)
        one_command_per_exit(commands)
        provider_accounts(attempts, refunds, transfers)

    async def inspect_recovered(self) -> None:
        """Check what must hold once every fault is over and the sweeps have run."""
        await self.inspect()
        attempts, refunds, bills, transfers = await self._town.rows_of(
            _ATTEMPTS, _REFUNDS, _BILLS, _TRANSFERS
        )
        limbo = [row["number"] for row in (*attempts, *refunds) if row["state"] in LIVE]
        require(10, not limbo, f"in limbo: {limbo}")
        held = [row["id"] for row in bills if row["live_attempt_id"] is not None]
        require(10, not held, f"bills that wait for an attempt: {held}")
        for name, theirs in (await self._town.books()).items():
            known = {row["number"] for row in attempts}
            strangers = [
                order.number
                for order in theirs.orders.values()
                if order.is_captured and order.number not in known
            ]
            require(10, not strangers, f"{name} took money that we do not know of: {strangers}")
            ours = balance(transfers, f"provider:{name}")
            require(
                10,
                ours == {code: sum_ for code, sum_ in theirs.balances.items() if sum_},
                f"{name}: our ledger says {ours}, its books {theirs.balances}",
            )
            self._same_ends(name, theirs, attempts)

    def _same_ends(self, name: str, theirs: Books, attempts: list[Row]) -> None:
        for row in attempts:
            if row["provider"] == name:
                order = theirs.orders.get(row["number"])
                captured = order is not None and order.is_captured
                require(
                    10,
                    captured == (row["state"] == "succeeded"),
                    f"{row['number']} is {row['state']} here and {order} at {name}",
                )

    async def _ledger_sums_to_zero(self, transfers: list[Row]) -> None:
        for operator_id in {yard.operator_id for yard in self._town.yards}:
            async with self._town.context.database.begin() as unit:
                found = await balances.balances(unit, operator_id)
            sums: Counter[str] = Counter()
            for (_, currency), amount in found.items():
                sums[currency] += amount
            require(1, not any(sums.values()), f"{operator_id}: {dict(sums)} of {found}")
            mine = [row for row in transfers if row["operator_id"] == operator_id]
            for (account, currency), amount in found.items():
                require(
                    1,
                    balance(mine, account).get(currency, 0) == amount,
                    f"{account} is said to be {amount}, its entries say {balance(mine, account)}",
                )

    def _gate_by_money(
        self,
        commands: list[Row],
        bills: list[Row],
        attempts: list[Row],
        books: Mapping[str, Books],
    ) -> None:
        for command in commands:
            if command["direction"] != "exit" or command["id"] in self._judged:
                continue
            self._judged.add(command["id"])
            mine = [row for row in bills if row["session_id"] == command["session_id"]]
            reason = command["reason"]
            if reason in BY_MONEY:
                open_ = [row["id"] for row in mine if row["state"] in UNPAID]
                require(3, not open_, f"a gate opened as {reason} with unpaid bills: {open_}")
                _paid_exactly(mine, attempts, books)
            if reason == "paid":
                paid = [
                    row
                    for row in mine
                    if row["presentation_id"] == command["presentation_id"]
                    and row["state"] == "paid"
                    and row["paid_attempt_id"] is not None
                ]
                require(3, paid, f"a gate opened as paid, and no bill of that exit was: {mine}")
            if reason == "guaranteed":
                orders = [
                    order
                    for row in attempts
                    if row["session_id"] == command["session_id"]
                    for order in _orders_of([row], books)
                ]
                require(
                    3,
                    any(order.is_guaranteed or order.is_captured for order in orders),
                    f"a gate opened on a guarantee that no provider gave: {orders}",
                )


def _paid_exactly(
    bills: Iterable[Row], attempts: Iterable[Row], books: Mapping[str, Books]
) -> None:
    by_id = {row["id"]: row for row in attempts}
    for bill in bills:
        if bill["state"] != "paid" or bill["paid_attempt_id"] is None:
            require(
                3,
                bill["state"] != "paid" or bill["total_minor"] == 0 or _is_settled(bill),
                f"bill {bill['id']} is paid, and nothing paid it",
            )
            continue
        attempt = by_id[bill["paid_attempt_id"]]
        order = books[attempt["provider"]].orders.get(attempt["number"])
        require(
            3,
            order is not None and order.is_captured,
            f"bill {bill['id']} is paid, its order is {order}",
        )
        require(
            3,
            order is not None and order.amount_minor == attempt["amount_minor"],
            f"asked for {attempt['amount_minor']}, taken was {order}",
        )


def _is_settled(bill: Row) -> bool:
    """Return whether a bill says itself that something else than a payment settled it."""
    return bool(bill.get("settled_by") or bill.get("collected_by_id"))


def one_order_per_bill(bills: list[Row], attempts: list[Row], books: Mapping[str, Books]) -> None:
    """2: at most one captured and one live order of each bill, and none of a void one."""
    states = {row["id"]: row["state"] for row in bills}
    of_bill: defaultdict[object, list[Row]] = defaultdict(list)
    for attempt in attempts:
        of_bill[attempt["bill_id"]].append(attempt)
    for bill_id, mine in of_bill.items():
        orders = _orders_of(mine, books)
        captured = [order for order in orders if order.is_captured]
        live = [order for order in orders if order.is_live]
        require(2, len(captured) <= 1, f"bill {bill_id} was charged twice: {captured}")
        require(2, len(captured) + len(live) <= 1, f"bill {bill_id}: {captured} and {live}")
        require(
            2,
            states[bill_id] != "void" or not captured,
            f"bill {bill_id} is void, and was charged: {captured}",
        )
        ours = [row for row in mine if row["state"] in LIVE]
        require(2, len(ours) <= 1, f"bill {bill_id} has {len(ours)} attempts under way")


def _orders_of(attempts: Iterable[Row], books: Mapping[str, Books]) -> list[Order]:
    found = [books[row["provider"]].orders.get(row["number"]) for row in attempts]
    return [order for order in found if order is not None]


def balance(transfers: Iterable[Row], account: str) -> dict[str, int]:
    """Return an account's balance by currency, debits positive, read from the entries."""
    sums: Counter[str] = Counter()
    for row in transfers:
        if row["debit_account"] == account:
            sums[row["currency"]] += row["amount_minor"]
        if row["credit_account"] == account:
            sums[row["currency"]] -= row["amount_minor"]
    return {currency: amount for currency, amount in sums.items() if amount}


def receivable_is_unpaid(bills: list[Row], refunds: list[Row], transfers: list[Row]) -> None:
    """4: what drivers owe by the ledger are their unpaid bills, less what is to go back."""
    due: Counter[tuple[object, str]] = Counter()
    for bill in bills:
        if bill["state"] in UNPAID:
            due[bill["operator_id"], ledger.receivable_of(bill["driver_id"])] += bill["total_minor"]
    sent_again = {row["cause"].removeprefix(RETRY_CAUSE) for row in refunds}
    for refund in refunds:
        if refund["state"] != "succeeded" and str(refund["id"]) not in sent_again:
            due[refund["operator_id"], ledger.receivable_of(refund["driver_id"])] -= refund[
                "amount_minor"
            ]
    said: Counter[tuple[object, str]] = Counter()
    for row in transfers:
        said[row["operator_id"], row["debit_account"]] += row["amount_minor"]
        said[row["operator_id"], row["credit_account"]] -= row["amount_minor"]
    accounts = {key for key in said if ledger.is_receivable(key[1])} | set(due)
    for key in accounts:
        require(4, said[key] == due[key], f"{key}: the ledger says {said[key]}, bills {due[key]}")


def a_coupon_binds_once(sessions: list[Row], coupons: list[Row], bills: list[Row]) -> None:
    """6: a coupon counts once for a stay, whatever is paid when."""
    for session in sessions:
        names = session["circumstances"].get("validations", [])
        require(6, len(names) == len(set(names)), f"stay {session['id']} has {names}")
    kept = Counter((row["operator_id"], row["session_id"], row["name"]) for row in coupons)
    require(6, all(count == 1 for count in kept.values()), f"kept twice: {kept}")
    for session_id, off in _reductions(bills).items():
        require(6, off <= COUPON_MINOR, f"stay {session_id} got {off} off by one coupon")


def _reductions(bills: Iterable[Row]) -> Counter[Any]:
    """Return what coupons took off in all, by stay: later bills start from what was paid before."""
    most: Counter[Any] = Counter()
    for bill in bills:
        off = -sum(line["amount_minor"] for line in bill["lines"] if line["reason"] == "validation")
        most[bill["session_id"]] = max(most[bill["session_id"]], off)
    return most


def refunds_within_captures(
    attempts: list[Row], refunds: list[Row], books: Mapping[str, Books]
) -> None:
    """7: never more goes back than was taken, by our books and by the provider's."""
    taken = {row["id"]: row["amount_minor"] for row in attempts if row["state"] == "succeeded"}
    back: Counter[Any] = Counter()
    for row in refunds:
        if row["state"] != "failed":
            back[row["attempt_id"]] += row["amount_minor"]
    for attempt_id, amount in back.items():
        require(7, amount <= taken.get(attempt_id, 0), f"{attempt_id}: {amount} of {taken}")
    for name, theirs in books.items():
        given: Counter[str] = Counter()
        for refund in theirs.refunds.values():
            if refund.status != "failed":
                given[refund.charge] += refund.amount_minor
        for number, amount in given.items():
            order = theirs.orders.get(number)
            held = order.amount_minor if order is not None and order.is_captured else 0
            require(7, amount <= held, f"{name} gave {amount} of {held} back for {number}")


def one_command_per_exit(commands: list[Row]) -> None:
    """8: a car is let out by one order, and not when it is gone."""
    standing = [row for row in commands if row["state"] != "rejected"]
    counts = Counter(row["presentation_id"] for row in standing)
    require(8, all(count == 1 for count in counts.values()), f"orders to open: {counts}")
    for row in standing:
        gone_at = row["cleared_at"]
        require(
            8,
            gone_at is None or row["issued_at"] <= gone_at,
            f"order {row['id']} came when the car was gone",
        )
        require(
            8,
            row["direction"] != "exit"
            or row["left_at"] is None
            or row["exit_presentation_id"] == row["presentation_id"]
            or row["issued_at"] <= row["left_at"],
            f"order {row['id']} is for a stay that was over",
        )


def provider_accounts(attempts: list[Row], refunds: list[Row], transfers: list[Row]) -> None:
    """9: what providers hold for us is what they took, less what they gave back."""
    held: Counter[tuple[object, str]] = Counter()
    for row in attempts:
        if row["state"] == "succeeded":
            held[row["operator_id"], ledger.provider_of(row["provider"])] += row["amount_minor"]
    for row in refunds:
        if row["state"] == "succeeded":
            held[row["operator_id"], ledger.provider_of(row["provider"])] -= row["amount_minor"]
    said: Counter[tuple[object, str]] = Counter()
    for row in transfers:
        for side, sign in (("debit_account", 1), ("credit_account", -1)):
            if ledger.is_provider(row[side]):
                said[row["operator_id"], row[side]] += sign * row["amount_minor"]
    for key in {*held, *said}:
        require(9, held[key] == said[key], f"{key}: ledger {said[key]}, orders {held[key]}")
