"""The ten promises about money, asked of our books and of every provider's own. Pure, no I/O.

1 the ledger sums to zero; 2 at most one captured and one live order for a bill; 3 a gate that opens
as paid was paid exactly; 4 what drivers owe by the ledger are their unpaid bills; 5 open credit is
within its limit; 6 a coupon binds once; 7 refunds are within captures; 8 one order to open for an
exit; 9 what a provider holds is what it took less what it gave back; 10 after recovery nothing is
in limbo, and the ledger says what the providers say.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from parking.payments import ledger
from parking.payments.refunds import RETRY_CAUSE
from sesame.bench.money.books import Books, Order
from sesame.bench.money.rows import Row, Rows

# Whoever orders a gate open holds the car's row, and whoever clears it waits for that.
LOCK_WAIT: Final = timedelta(seconds=1)
LIVE: Final = frozenset({"sent", "accepted", "unknown"})
UNPAID: Final = frozenset({"issued", "owed"})
# An exit opens for one of these, and each promises something about the money.
BY_MONEY: Final = frozenset({"paid", "zero_due"})
EXIT: Final = "exit"


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that does not hold."""

    promise: int
    what: str

    def __str__(self) -> str:
        return f"promise {self.promise} is broken: {self.what}"


def always(rows: Rows, books: Mapping[str, Books]) -> Iterator[Broken]:
    """Yield what does not hold, of what must at every moment."""
    yield from ledger_sums_to_zero(rows)
    yield from one_order_per_bill(rows, books)
    yield from one_order_per_debt(rows, books)
    yield from refunds_within_captures(rows, books)
    yield from receivable_is_unpaid(rows)
    yield from credit_within_limit(rows)
    yield from a_coupon_binds_once(rows)
    yield from one_command_per_exit(rows)
    yield from provider_accounts(rows)


def recovered(rows: Rows, books: Mapping[str, Books]) -> Iterator[Broken]:
    """Yield what does not hold once every fault is over and the sweeps have run."""
    limbo = [
        f"{row['provider']} {row['number']} {row['state']} {row['failure_code']}"
        for row in (*rows.attempts, *rows.refunds)
        if row["state"] in LIVE
    ]
    if limbo:
        yield Broken(10, f"in limbo: {limbo}")
    held = [row["id"] for row in rows.bills if row["live_attempt_id"] is not None]
    if held:
        yield Broken(10, f"bills that wait for an attempt: {held}")
    for name, theirs in books.items():
        ours = account_balance(rows.transfers, ledger.provider_of(name))
        said = {currency: minor for currency, minor in theirs.balances.items() if minor}
        if ours != said:
            yield Broken(10, f"{name}: our ledger says {ours}, its books {said}")
        yield from _same_ends(name, theirs, rows.attempts)


def _same_ends(name: str, theirs: Books, attempts: Iterable[Row]) -> Iterator[Broken]:
    known = {row["number"]: row for row in attempts if row["provider"] == name}
    for number, order in theirs.orders.items():
        if order.is_captured and number not in known:
            yield Broken(10, f"{name} took money for {number}, which we do not know")
    for number, row in known.items():
        order = theirs.orders.get(number)
        if (order is not None and order.is_captured) != (row["state"] == "succeeded"):
            yield Broken(10, f"{number} is {row['state']} here, and {order} at {name}")


def ledger_sums_to_zero(rows: Rows) -> Iterator[Broken]:
    """1: as the product itself adds it up, and as its entries say."""
    for operator_id, balances in rows.balances.items():
        sums: Counter[str] = Counter()
        mine = [row for row in rows.transfers if row["operator_id"] == operator_id]
        for (account, currency), minor in balances.items():
            sums[currency] += minor
            said = account_balance(mine, account).get(currency, 0)
            if said != minor:
                yield Broken(1, f"{account} is said to be {minor}, its entries say {said}")
        if any(sums.values()):
            yield Broken(1, f"operator {operator_id}: accounts sum to {dict(sums)}")


def one_order_per_bill(rows: Rows, books: Mapping[str, Books]) -> Iterator[Broken]:
    """2: and none is taken for a void bill."""
    states = {row["id"]: row["state"] for row in rows.bills}
    of_bill: defaultdict[object, list[Row]] = defaultdict(list)
    for attempt in rows.attempts:
        of_bill[attempt["bill_id"]].append(attempt)
    for bill_id, mine in of_bill.items():
        orders = orders_of(mine, books)
        captured = [order for order in orders if order.is_captured]
        live = [order for order in orders if order.is_live]
        if len(captured) + len(live) > 1:
            yield Broken(2, f"bill {bill_id} was charged more than once: {captured}, {live}")
        if captured and states[bill_id] == "void":
            yield Broken(2, f"bill {bill_id} is void, and was charged: {captured}")
        under_way = sum(row["state"] in LIVE for row in mine)
        if under_way > 1:
            yield Broken(2, f"bill {bill_id} has {under_way} attempts under way")


def one_order_per_debt(rows: Rows, books: Mapping[str, Books]) -> Iterator[Broken]:
    """2: a bill that a partner collects is not taken by its owner as well."""
    of_bill: defaultdict[object, list[Row]] = defaultdict(list)
    for attempt in rows.attempts:
        of_bill[attempt["bill_id"]].append(attempt)
    for debt in {row["owed_bill_id"] for row in rows.collections}:
        bills = {row["bill_id"] for row in rows.collections if row["owed_bill_id"] == debt} | {debt}
        mine = [attempt for bill_id in bills for attempt in of_bill[bill_id]]
        charged_back = {number for each in books.values() for number in each.charged_back}
        held = [
            order
            for order in orders_of(mine, books)
            if (order.is_captured or order.is_live) and order.number not in charged_back
        ]
        if len(held) > 1:
            yield Broken(2, f"what is owed as {debt} was charged more than once: {held}")


def gate_by_money(
    rows: Rows, books: Mapping[str, Books], commands: Iterable[Row]
) -> Iterator[Broken]:
    """3: judged when an order to open has just been given, or when nothing moves any more.

    Args:
        rows: Our books.
        books: The providers'.
        commands: The orders to judge.
    """
    attempts = {row["id"]: row for row in rows.attempts}
    for command in commands:
        if command["direction"] != EXIT:
            continue
        bills = [row for row in rows.bills if row["session_id"] == command["session_id"]]
        if command["reason"] in BY_MONEY:
            yield from _paid_exactly(command["reason"], bills, attempts, books)
        if not _is_founded(rows, books, command, bills):
            yield Broken(3, f"a gate opened as {command['reason']} without reason: {bills}")


def _is_founded(rows: Rows, books: Mapping[str, Books], command: Row, bills: Sequence[Row]) -> bool:
    """Return whether what the exit was opened for is true."""
    match command["reason"]:
        case "paid":
            return _paid_here(bills, command["presentation_id"])
        case "zero_due":
            return True
        case "guaranteed":
            mine = [row for row in rows.attempts if row["session_id"] == command["session_id"]]
            return any(each.is_guaranteed or each.is_captured for each in orders_of(mine, books))
        case "credit":
            return _on_credit(bills)
        case "override":
            let_out = {row["id"] for row in rows.overrides}
            return command["presentation_id"] in let_out
        case _:
            return False


def _on_credit(bills: Iterable[Row]) -> bool:
    return any(bill["credit_minor"] or bill["state"] in {"paid", "written_off"} for bill in bills)


def _paid_here(bills: Iterable[Row], presentation_id: object) -> bool:
    return any(
        bill["presentation_id"] == presentation_id
        and bill["state"] in {"paid", "corrected"}
        and bill["paid_attempt_id"] is not None
        for bill in bills
    )


def _paid_exactly(
    reason: str, bills: Iterable[Row], attempts: Mapping[object, Row], books: Mapping[str, Books]
) -> Iterator[Broken]:
    for bill in bills:
        if bill["state"] in UNPAID and not _is_disputed(bill, bills, attempts, books):
            yield Broken(3, f"a gate opened as {reason} with bill {bill['id']} unpaid")
        if bill["state"] != "paid" or bill["total_minor"] == 0:
            continue
        attempt = attempts.get(bill["paid_attempt_id"])
        if attempt is None:
            yield Broken(3, f"bill {bill['id']} is paid, and nothing paid it")
            continue
        if attempt["provider"] not in books:
            # Over the counter, or by a partner, whose own bill is looked at as well.
            continue
        order = books[attempt["provider"]].orders.get(attempt["number"])
        if order is None or not order.is_captured:
            yield Broken(3, f"bill {bill['id']} is paid, its order is {order}")
        elif order.amount_minor != attempt["amount_minor"]:
            yield Broken(3, f"{attempt['amount_minor']} was asked for, {order} was taken")


def _is_disputed(
    bill: Row, bills: Iterable[Row], attempts: Mapping[object, Row], books: Mapping[str, Books]
) -> bool:
    """Return whether a version of a bill was paid, and the payer's bank took the money back."""
    charged_back = {number for each in books.values() for number in each.charged_back}
    versions = {row["id"]: row for row in bills}
    version: Row | None = bill
    while version is not None:
        paid_by = attempts.get(version["paid_attempt_id"])
        if paid_by is not None and paid_by["number"] in charged_back:
            return True
        version = versions.get(version["corrects_id"])
    return False


def receivable_is_unpaid(rows: Rows) -> Iterator[Broken]:
    """4: for each driver, less what is to go back to them."""
    due: Counter[tuple[object, str]] = Counter()
    for bill in rows.bills:
        if bill["state"] in UNPAID:
            due[bill["operator_id"], ledger.receivable_of(bill["driver_id"])] += bill["total_minor"]
    sent_again = {row["cause"].removeprefix(RETRY_CAUSE) for row in rows.refunds}
    for refund in rows.refunds:
        if refund["state"] != "succeeded" and str(refund["id"]) not in sent_again:
            account = ledger.receivable_of(refund["driver_id"])
            due[refund["operator_id"], account] -= refund["amount_minor"]
    said: Counter[tuple[object, str]] = Counter()
    for row in rows.transfers:
        said[row["operator_id"], row["debit_account"]] += row["amount_minor"]
        said[row["operator_id"], row["credit_account"]] -= row["amount_minor"]
    for key in {key for key in said if ledger.is_receivable(key[1])} | set(due):
        if said[key] != due[key]:
            yield Broken(4, f"{key[1]}: the ledger says {said[key]}, bills say {due[key]}")


def credit_within_limit(rows: Rows) -> Iterator[Broken]:
    """5: within what a driver's paid bills let it grow to, and what is said is what is used."""
    used: Counter[tuple[object, object, str]] = Counter()
    paid: Counter[tuple[object, object, str]] = Counter()
    for bill in rows.bills:
        key = (bill["operator_id"], bill["driver_id"], bill["currency"])
        used[key] += bill["credit_minor"]
        # Each version of a bill counts, for one that was paid in time may be corrected later.
        paid[key] += bill["paid_at"] is not None
    policies = {(row["operator_id"], row["currency"]): row for row in rows.policies}
    known = {(row["operator_id"], row["driver_id"], row["currency"]): row for row in rows.credit}
    for key, minor in used.items():
        limit = _limit_minor(policies.get((key[0], key[2])), paid[key])
        if minor > limit:
            yield Broken(5, f"driver {key[1]} uses {minor} of a credit of at most {limit}")
        said = known[key]["used_minor"] if key in known else 0
        if minor != said:
            yield Broken(5, f"driver {key[1]}: {said} is said to be used, {minor} is")


def _limit_minor(policy: Row | None, paid: int) -> int:
    if policy is None:
        return 0
    grown = policy["first_minor"] + paid // policy["step_bills"] * policy["step_minor"]
    return min(grown, policy["most_minor"])


def a_coupon_binds_once(rows: Rows) -> Iterator[Broken]:
    """6: a stay has each coupon once, and its bills take it off once."""
    for stay in rows.stays:
        names = stay["circumstances"].get("validations", [])
        if len(names) != len(set(names)):
            yield Broken(6, f"stay {stay['id']} has {names}")
    kept = Counter((row["operator_id"], row["session_id"], row["name"]) for row in rows.coupons)
    for key, count in kept.items():
        if count > 1:
            yield Broken(6, f"{key} is kept {count} times")
    for bill in rows.bills:
        notes = [line["note"] for line in bill["lines"] if line["reason"] == "validation"]
        if len(notes) != len(set(notes)):
            yield Broken(6, f"bill {bill['id']} takes a coupon off more than once: {notes}")


def refunds_within_captures(rows: Rows, books: Mapping[str, Books]) -> Iterator[Broken]:
    """7: by our books, failed ones that are still owed back included, and by the providers'."""
    sent_again = {row["cause"].removeprefix(RETRY_CAUSE) for row in rows.refunds}
    taken = {row["id"]: row["amount_minor"] for row in rows.attempts if row["state"] == "succeeded"}
    back: Counter[Any] = Counter()
    for row in rows.refunds:
        if str(row["id"]) not in sent_again:
            back[row["attempt_id"]] += row["amount_minor"]
    for attempt_id, minor in back.items():
        if minor > taken.get(attempt_id, 0):
            yield Broken(7, f"{minor} goes back of {taken.get(attempt_id, 0)} for {attempt_id}")
    for name, theirs in books.items():
        given: Counter[str] = Counter()
        for refund in theirs.refunds.values():
            if refund.status != "failed":
                given[refund.charge] += refund.amount_minor
        for number, minor in given.items():
            order = theirs.orders.get(number)
            held = order.amount_minor if order is not None and order.is_captured else 0
            if minor > held:
                yield Broken(7, f"{name} gave {minor} of {held} back for {number}")


def one_command_per_exit(rows: Rows) -> Iterator[Broken]:
    """8: and none when the car is known to be gone, or its stay to be over.

    Its own lane may tell of the one later; another lane, an entry or a correction of the other.
    """
    standing = [row for row in rows.commands if row["state"] != "rejected"]
    counts = Counter(row["presentation_id"] for row in standing)
    for presentation_id, count in counts.items():
        if count > 1:
            yield Broken(8, f"{count} orders to open for {presentation_id}")
    for row in standing:
        known_at = row["clear_known_at"]
        if known_at is not None and row["issued_at"] > known_at + LOCK_WAIT:
            yield Broken(8, f"order {row['id']} came when the car was gone")
        was_elsewhere = row["exit_presentation_id"] != row["presentation_id"]
        over_at = row["over_known_at"]
        is_over = over_at is not None and row["issued_at"] > over_at + LOCK_WAIT
        if row["direction"] == EXIT and was_elsewhere and is_over:
            yield Broken(8, f"order {row['id']} is for a stay that was over")


def provider_accounts(rows: Rows) -> Iterator[Broken]:
    """9: in our own books; chargebacks are entries of their own."""
    held: Counter[tuple[object, str]] = Counter()
    for row in rows.attempts:
        if row["state"] == "succeeded":
            held[row["operator_id"], ledger.provider_of(row["provider"])] += row["amount_minor"]
    for row in rows.refunds:
        if row["state"] == "succeeded":
            held[row["operator_id"], ledger.provider_of(row["provider"])] -= row["amount_minor"]
    said: Counter[tuple[object, str]] = Counter()
    for row in rows.transfers:
        for side, sign in (("debit_account", 1), ("credit_account", -1)):
            other = row["credit_account" if sign > 0 else "debit_account"]
            if ledger.is_provider(row[side]) and other != ledger.CHARGEBACKS:
                said[row["operator_id"], row[side]] += sign * row["amount_minor"]
    for key in {key for key in (*held, *said) if ledger.is_provider(key[1])}:
        if held[key] != said[key] and not _is_by_hand(key[1]):
            yield Broken(9, f"{key[1]}: the ledger says {said[key]}, its orders {held[key]}")


def _is_by_hand(account: str) -> bool:
    name = account.removeprefix(ledger.provider_of(""))
    return name == ledger.CASH_DESK or name.startswith("partner:")


def orders_of(attempts: Iterable[Row], books: Mapping[str, Books]) -> list[Order]:
    """Return what the providers know of some attempts."""
    found = [
        books[row["provider"]].orders.get(row["number"])
        for row in attempts
        if row["provider"] in books
    ]
    return [order for order in found if order is not None]


def account_balance(transfers: Iterable[Row], account: str) -> dict[str, int]:
    """Return an account's balance by currency, debits positive, read from the entries."""
    sums: Counter[str] = Counter()
    for row in transfers:
        if row["debit_account"] == account:
            sums[row["currency"]] += row["amount_minor"]
        if row["credit_account"] == account:
            sums[row["currency"]] -= row["amount_minor"]
    return {currency: minor for currency, minor in sums.items() if minor}
