"""A paid bill with its receipt, to be looked at and to be tampered with."""

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parking.flows.bills.checks import Check, Verification
from parking.flows.proof.receipt_check import ReceiptDocument
from parking.flows.proof.receipts import IssuedReceipt, issue_receipt
from parking.flows.proof.verification import verify
from parking.payments import repository as payments
from parking.payments.models import Bill
from parking.payments.receipt import open_receipt
from tests.factories.lane_world import SIGNER, LaneWorld


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt in its parts."""

    claims: dict[str, Any]
    rate_table: dict[str, Any]

    @classmethod
    def of(cls, issued: IssuedReceipt) -> "Receipt":
        assert issued.rate_table is not None
        return cls(open_receipt(issued.jws, SIGNER.keys), dict(issued.rate_table))

    def changed(self, path: str, value: object) -> "Receipt":
        """Return the receipt with one value of its claims changed, such as `lines.0.reason`."""
        claims = deepcopy(self.claims)
        at: Any = claims
        *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
        for step in steps:
            at = at[step]
        at[last] = value
        return Receipt(claims, self.rate_table)

    def signed(self) -> ReceiptDocument:
        """Return the file that our own key vouches for."""
        return ReceiptDocument(SIGNER.sign(self.claims), self.rate_table)


async def bills_of(world: LaneWorld) -> list[Bill]:
    """Return every bill, oldest first."""
    rows = await world.rows("SELECT operator_id, id FROM bills ORDER BY issued_at, version")
    async with world.context.database.begin() as unit:
        found = [await payments.find_bill(unit, row["operator_id"], row["id"]) for row in rows]
    return [bill for bill in found if bill is not None]


async def verified(world: LaneWorld, bill_id: UUID) -> Verification:
    """Check a bill in the database."""
    async with world.context.database.begin() as unit:
        return await verify(unit, world.entry.operator_id, bill_id)


async def receipt_of(world: LaneWorld, bill: Bill, *, with_plate: bool = False) -> IssuedReceipt:
    """Return a bill's receipt."""
    async with world.context.database.begin() as unit:
        return await issue_receipt(world.context, unit, bill, with_plate=with_plate)


def answers(found: Verification) -> dict[str, bool | None]:
    """Return every answer by its question; a no outweighs the others of the same name."""
    told: dict[str, bool | None] = {}
    for check in found.checks:
        if told.get(check.name) is not False:
            told[str(check.name)] = check.ok
    return told


def answer(found: Verification, name: str) -> Check:
    """Return the answer to one question."""
    return next(check for check in found.checks if check.name == name)


def file_of(document: ReceiptDocument) -> bytes:
    """Return the file as it is downloaded."""
    return json.dumps({"receipt": document.jws, "rate_table": document.rate_table}).encode()
