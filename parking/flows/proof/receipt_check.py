"""Checking a receipt with nothing but the receipt, its rate table and the published keys. Pure.

No database and no setting is looked at: whoever holds the file can run this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from parking.flows.bills.bill_basis import BillBasis
from parking.flows.bills.checks import (
    Check,
    CheckName,
    LineCheck,
    Verification,
    check_lines,
    check_rate_table,
    check_total,
    failed,
    missing,
    passed,
    recomputed,
    unknown_lines,
)
from parking.flows.passes import pass_basis
from parking.flows.passes.pass_basis import PassBasis
from parking.flows.proof.receipt_claims import ReceiptClaims
from parking.kit.canonical_json import read_strictly
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.receipt import ReceiptRefusedError, open_receipt, read_unverified
from parking.payments.receipt_keys import PublicKeys
from parking.tariffs.model_part import validated

DOCUMENT_BYTES_MAX: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReceiptDocument:
    """A receipt's file.

    Attributes:
        rate_table: None where the file is the bare receipt, or of a pass.
    """

    jws: str
    rate_table: Mapping[str, Any] | None


def read_document(raw: bytes) -> ReceiptDocument:
    """Return what a receipt's file holds: the JSON that is downloaded, or the bare receipt.

    Raises:
        InvalidInputError: it is neither.
    """
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise InvalidInputError("receipt", f"at most {DOCUMENT_BYTES_MAX} bytes")
    text = raw.strip()
    if not text.startswith(b"{"):
        return ReceiptDocument(text.decode("ascii", "replace"), None)
    document = read_strictly(text, field="receipt")
    jws, rate_table = document.get("receipt"), document.get("rate_table")
    if not isinstance(jws, str):
        raise InvalidInputError("receipt.receipt", "the signed receipt")
    if rate_table is not None and not isinstance(rate_table, dict):
        raise InvalidInputError("receipt.rate_table", "a rate table, or null")
    return ReceiptDocument(jws, cast("dict[str, Any] | None", rate_table))


def check_receipt(document: ReceiptDocument, keys: PublicKeys | None) -> Verification:
    """Check a receipt.

    Args:
        document: The receipt and its rate table.
        keys: The operator's, from where the operator publishes them. Without them anybody could
            have made the receipt: it does not verify, and the rest of it is checked all the same.
    """
    signature, data = _open(document.jws, keys)
    if data is None:
        return Verification("receipt", "XXX", (signature,))
    try:
        claims = validated(ReceiptClaims, data, "receipt")
        number = _check_number(claims)
    except InvalidInputError as error:
        words = f"it does not say what a receipt says: {error}"
        unreadable = failed(CheckName.RECEIPT, "a receipt of format 1", "", words)
        return Verification("receipt", "XXX", (signature, unreadable))
    bill_checks, lines = _check_bill(claims, document.rate_table)
    checks = (signature, *number, *bill_checks, _check_payment(claims), _check_version(claims))
    timezone = "UTC" if claims.place is None else claims.place.timezone
    return Verification(_title(claims), claims.currency, checks, lines, timezone)


def _open(jws: str, keys: PublicKeys | None) -> tuple[Check, dict[str, Any] | None]:
    name = CheckName.RECEIPT
    try:
        if keys is not None:
            return passed(name, "a known key", "signed by a key that you gave"), open_receipt(
                jws, keys
            )
        words = "nobody's signature was checked: give the operator's published keys"
        return failed(name, "keys", "none", words), read_unverified(jws)
    except ReceiptRefusedError as error:
        words = f"the signature does not hold: {error}"
        return failed(name, "a receipt signed by a given key", error.code, words), _unverified(jws)


def _unverified(jws: str) -> dict[str, Any] | None:
    try:
        return read_unverified(jws)
    except ReceiptRefusedError:
        return None


def _check_number(claims: ReceiptClaims) -> list[Check]:
    try:
        wanted = claims.named().jti
    except ValueError:
        wanted = ""
    if wanted == claims.jti:
        return []
    words = "its number does not follow from what it says"
    return [failed(CheckName.RECEIPT, wanted, claims.jti, words)]


def _check_bill(
    claims: ReceiptClaims, rate_table: Mapping[str, Any] | None
) -> tuple[list[Check], tuple[LineCheck, ...]]:
    total = Money(claims.total_minor, claims.currency)
    if claims.basis is not None and "pass_format" in claims.basis:
        return _check_pass(claims, claims.basis)
    if claims.basis is None or rate_table is None:
        words = (
            "it says nothing of what the lines follow from"
            if claims.basis is None
            else "the rate table is not beside it"
        )
        line_check, lines = unknown_lines(claims.lines, words)
        checks = [missing(CheckName.BASIS, words), line_check]
        return [*checks, check_total(total, claims.lines, None)], lines
    try:
        basis = BillBasis.from_json(claims.basis)
    except InvalidInputError as error:
        words = f"what the lines follow from cannot be read: {error}"
        line_check, lines = unknown_lines(claims.lines, words)
        unread = failed(CheckName.BASIS, "a basis of format 1", "", words)
        return [unread, line_check, check_total(total, claims.lines, None)], lines
    times = _check_times(claims, basis)
    found, problem = recomputed(basis, rate_table)
    if found is None:
        line_check, lines = unknown_lines(claims.lines, f"they cannot be recomputed: {problem}")
        line_check = replace(line_check, ok=False)
    else:
        line_check, lines = check_lines(claims.lines, found, claims.currency)
    checks = [times, check_rate_table(basis, rate_table), line_check]
    return [*checks, check_total(total, claims.lines, found)], lines


def _check_pass(
    claims: ReceiptClaims, stored: Mapping[str, Any]
) -> tuple[list[Check], tuple[LineCheck, ...]]:
    """Compare the lines of a pass's period with its terms, which stand in the receipt."""
    total = Money(claims.total_minor, claims.currency)
    try:
        found = pass_basis.recompute(PassBasis.from_json(stored))
    except (InvalidInputError, ArithmeticError, LookupError, ValueError) as error:
        words = f"what the lines follow from cannot be computed: {type(error).__name__}"
        line_check, lines = unknown_lines(claims.lines, words)
        unread = failed(CheckName.BASIS, "the terms of a pass", "", words)
        return [unread, line_check, check_total(total, claims.lines, None)], lines
    line_check, lines = check_lines(claims.lines, found, claims.currency)
    basis = passed(CheckName.BASIS, "pass format 1", "it holds the terms and the period")
    return [basis, line_check, check_total(total, claims.lines, found)], lines


def _check_times(claims: ReceiptClaims, basis: BillBasis) -> Check:
    left_at = None if basis.exit is None else basis.priced_until.isoformat()
    wanted = f"{basis.entered_at.isoformat()} to {left_at or 'none'}"
    found = f"{claims.entered_at} to {claims.left_at or 'none'}"
    if wanted != found:
        words = "its times are not those that it was priced for"
        return failed(CheckName.BASIS, wanted, found, words)
    return passed(CheckName.BASIS, found, "its times are those that it was priced for")


def _check_payment(claims: ReceiptClaims) -> Check:
    name = CheckName.PAID
    total = Money(claims.total_minor, claims.currency)
    if claims.payment is None:
        if total:
            return missing(name, "it does not say how it was paid")
        return passed(name, total.format(), "nothing was due")
    back_minor = sum(refund.amount_minor for refund in claims.refunds)
    kept = Money(claims.payment.amount_minor - back_minor, claims.currency)
    if kept < total:
        words = "less was paid than it says"
        return failed(name, total.format(), kept.format(), words)
    if kept != total:
        owed = (kept - total).format()
        return missing(name, f"{owed} of what was paid is still to be given back")
    back = Money(back_minor, claims.currency)
    took = Money(claims.payment.amount_minor, claims.currency).format()
    words = f"{claims.payment.provider} took {took}"
    words += f", {back.format()} went back" if back else ""
    return passed(name, kept.format(), words)


def _check_version(claims: ReceiptClaims) -> Check:
    bill = claims.bill
    if bill.corrected_by_id is not None:
        words = f"bill {bill.corrected_by_id} counts in its place: ask for that one's receipt"
    elif bill.corrects_id is not None:
        words = (
            f"it corrects bill {bill.corrects_id}; whether a newer one does not, only the operator"
        )
        words = f"{words} can say"
    else:
        words = "it was not corrected when the receipt was made"
    return passed(CheckName.VERSIONS, f"version {bill.version}", words)


def _title(claims: ReceiptClaims) -> str:
    place = "" if claims.place is None else f", {claims.place.name}"
    total = Money(claims.total_minor, claims.currency).format()
    return f"receipt {claims.jti} of {claims.operator.name}{place}, {claims.plate or ''}, {total}"
