"""`sesame bill`: show a bill, prove it, and prove a receipt without any database."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.text import Text

from api.global_ids import BILL_KIND, read_id
from parking.flows.bills.checks import Verification
from parking.flows.proof.bill_proof import prove
from parking.flows.proof.receipt_check import DOCUMENT_BYTES_MAX, check_receipt, read_document
from parking.flows.proof.receipts import issue_receipt
from parking.kit.canonical_json import read_strictly
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments import bill_history
from parking.payments import repository as payments
from parking.payments.errors import BillUnknownError
from parking.payments.models import Bill
from parking.payments.receipt_keys import PublicKeys, read_key_set
from parking.places import repository as places
from sesame.commands import bill_report
from sesame.settings import Settings
from sesame.wiring import open_context, receipt_signer

_BILL_KEYS = 2

bill_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Show bills, and prove bills and receipts."
)

BillId = Annotated[str, typer.Argument(help="The bill's id, as the API or the database has it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@bill_app.command("verify")
def verify_command(
    bill_id: Annotated[
        str | None, typer.Argument(help="The bill's id; it is checked in the database.")
    ] = None,
    *,
    receipt: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A receipt's file; no database is looked at."
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The operator's published keys (JSON). Without them a receipt does not verify: "
            "anybody could have made it.",
        ),
    ] = None,
    json_output: AsJson = False,
) -> None:
    """Recompute a bill and say what differs first; ends with 1 if it does not verify.

    With an id: against the database, from the reads at the lanes to the ledger.

    With --receipt: from the file alone, by anybody.
    """
    if (bill_id is None) == (receipt is None):
        raise InvalidInputError("bill_id", "either a bill's id or --receipt FILE")
    if receipt is not None:
        found = check_receipt(read_document(_content(receipt)), _keys(keys))
    elif keys is not None:
        raise InvalidInputError("keys", "--receipt FILE beside it")
    else:
        found = asyncio.run(_verify(Settings(), bill_id or ""))
    if json_output:
        # In ASCII: a forged receipt may hold escape sequences for a terminal.
        typer.echo(json.dumps(bill_report.report(found)))
    else:
        bill_report.show(found, Console())
    raise typer.Exit(0 if found.is_verified else 1)


@bill_app.command("show")
def show_command(bill_id: BillId, *, json_output: AsJson = False) -> None:
    """Print a bill with its lines and what they follow from."""
    bill, timezone = asyncio.run(_load(Settings(), bill_id))
    if json_output:
        typer.echo(json.dumps(_bill_report(bill), ensure_ascii=False))
        return
    console = Console()
    total = Money(bill.total_minor, bill.currency).format()
    console.print(Text(f"Bill {bill.id}, version {bill.version}, {bill.state}, {total}", "bold"))
    console.print(bill_report.show_lines(bill.lines, bill.currency, timezone))
    for name, value in _bill_report(bill).items():
        if name != "lines":
            console.print(Text(f"{name:<16} {value if value is not None else ''}"))


@bill_app.command("receipt")
def receipt_command(
    bill_id: BillId,
    *,
    plate: Annotated[bool, typer.Option("--plate", help="With the plate in full.")] = False,
) -> None:
    """Print a paid bill's signed receipt with its rate table, as its holder downloads it."""
    typer.echo(json.dumps(asyncio.run(_receipt(Settings(), bill_id, plate)), ensure_ascii=False))


@bill_app.command("keys")
def keys_command() -> None:
    """Print the keys that receipts are checked with, as they are published."""
    signer = receipt_signer(Settings())
    if signer is None:
        raise InvalidInputError(
            "SESAME_RECEIPT_KEY_FILE", "a value in the environment; docs/embedded.md says how"
        )
    typer.echo(json.dumps(dict(signer.key_set)))


async def _verify(settings: Settings, text: str) -> Verification:
    async with open_context(settings) as context, context.database.begin() as unit:
        return await prove(context, unit, *await _key(unit, text))


async def _load(settings: Settings, text: str) -> tuple[Bill, str]:
    async with open_context(settings) as context, context.database.begin() as unit:
        bill = await _bill(unit, text)
        place = None
        if bill.place_id is not None:
            place = await places.find_place(unit, bill.operator_id, bill.place_id)
        return bill, "UTC" if place is None else place.timezone


async def _receipt(settings: Settings, text: str, with_plate: bool) -> dict[str, Any]:  # noqa: FBT001 - the command's own option
    async with open_context(settings) as context, context.database.begin() as unit:
        bill = await _bill(unit, text)
        return (await issue_receipt(context, unit, bill, with_plate=with_plate)).document()


async def _bill(unit: UnitOfWork, text: str) -> Bill:
    bill = await payments.find_bill(unit, *await _key(unit, text))
    if bill is None:
        raise BillUnknownError("bill_id: expected an existing bill")
    return bill


async def _key(unit: UnitOfWork, text: str) -> tuple[UUID, UUID]:
    """Return the operator and the bill of an id, in the form of the API or of the database."""
    try:
        bill_id = UUID(text)
    except ValueError:
        return _global_key(text)
    operator_id = await bill_history.find_owner(unit, bill_id)
    if operator_id is None:
        raise BillUnknownError("bill_id: expected an existing bill")
    return operator_id, bill_id


def _global_key(text: str) -> tuple[UUID, UUID]:
    try:
        kind, keys = read_id(text)
    except ValueError as error:
        raise InvalidInputError("bill_id", "a UUID, or the id of a bill from the API") from error
    if kind != BILL_KIND or len(keys) != _BILL_KEYS:
        raise InvalidInputError("bill_id", "a UUID, or the id of a bill from the API")
    return keys[0], keys[1]


def _keys(path: Path | None) -> PublicKeys | None:
    if path is None:
        return None
    return read_key_set(read_strictly(_content(path), field="keys"))


def _content(path: Path) -> bytes:
    if path.stat().st_size > DOCUMENT_BYTES_MAX:
        raise InvalidInputError(str(path), f"a file of at most {DOCUMENT_BYTES_MAX} bytes")
    return path.read_bytes()


def _bill_report(bill: Bill) -> dict[str, Any]:
    return {
        "id": str(bill.id),
        "operator_id": str(bill.operator_id),
        "session_id": None if bill.session_id is None else str(bill.session_id),
        "pass_id": None if bill.pass_id is None else str(bill.pass_id),
        "version": bill.version,
        "corrects_id": None if bill.corrects_id is None else str(bill.corrects_id),
        "state": str(bill.state),
        "total_minor": bill.total_minor,
        "currency": bill.currency,
        "issued_at": bill.issued_at.isoformat(),
        "priced_until": bill.priced_until.isoformat(),
        "paid_at": None if bill.paid_at is None else bill.paid_at.isoformat(),
        "lines": bill.lines,
        "basis": bill.basis,
    }
