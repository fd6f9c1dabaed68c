"""Part 4 of docs/etc-wire.md: contracts, deductions, corrections; part 7: the settlement file."""

import csv
import io

from sesame.sandbox.platform import Json, SettlementLine, instant

FILE_KINDS = {"charge": "deduction", "refund": "correction"}
_COLUMNS = (
    "kind",
    "number",
    "trade_number",
    "amount_minor",
    "currency",
    "fee_minor",
    "occurred_at",
)
_FAILURES = {"exceeds_charge": "exceeds_deduction", "agreement_inactive": "contract_inactive"}


def contract_json(row: Json) -> Json:
    """Return a contract."""
    return {
        "reference": row["reference"],
        "status": row["status"],
        "plate": row["extra"]["plate"],
        "obu": row["extra"].get("obu"),
        "payer_hint": row["payer_hint"],
        "signed_at": instant(row["signed_ms"]),
        "cancelled_at": instant(row["cancelled_ms"]),
    }


def money_json(row: Json) -> Json:
    """Return a deduction or a correction."""
    shown = {
        "number": row["number"],
        "status": row["status"],
        "failure_code": _FAILURES.get(row["failure_code"], row["failure_code"]),
        "trade_number": row["reference"],
        "amount_minor": row["amount_minor"],
        "currency": row["currency"],
    }
    if row["space"] == "refund":
        return {**shown, "deduction": row["parent"]}
    return {**shown, "guaranteed": bool(row["guaranteed"])}


def settlement_csv(lines: list[SettlementLine]) -> bytes:
    """Return the file of a day."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    rows = [line for line in lines if line.kind in FILE_KINDS]
    for line in rows:
        writer.writerow(
            (
                FILE_KINDS[line.kind],
                line.number,
                line.reference,
                line.amount_minor,
                line.currency,
                line.fee_minor,
                instant(line.occurred_ms),
            )
        )
    writer.writerow(("end", len(rows)))
    return text.getvalue().encode()
