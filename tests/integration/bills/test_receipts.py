"""Receipts: made once, checked by anybody without a database, and not to be altered."""

import base64
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from parking.flows.payments import prepay, refunds
from parking.flows.proof.receipt_check import ReceiptDocument, check_receipt, read_document
from parking.flows.proof.receipt_claims import mask_plate
from parking.flows.proof.receipts import IssuedReceipt
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.errors import ReceiptNotReadyError, ReceiptsUnavailableError
from parking.payments.models import Bill
from parking.payments.receipt import ReceiptSigner, open_receipt
from sesame.commands import bill_report
from tests.factories.lane_world import PLATE, RATE_TABLE, SIGNER, LaneWorld
from tests.factories.pass_desk import PassDesk
from tests.factories.receipts import (
    Receipt,
    answer,
    answers,
    bills_of,
    file_of,
    receipt_of,
    verified,
)

ALL_YES: Final = dict.fromkeys(
    ("receipt", "basis", "rate_table", "lines", "total", "paid", "versions"), True
)


async def paid_bill(world: LaneWorld) -> Bill:
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=75)
    assert (await world.drive_out()).action == "open"
    return (await bills_of(world))[-1]


async def test_a_receipt_says_what_the_bill_says_and_verifies_offline(world: LaneWorld) -> None:
    bill = await paid_bill(world)
    issued = await receipt_of(world, bill)
    claims = open_receipt(issued.jws, SIGNER.keys)
    assert {name: claims[name] for name in ("iss", "plate", "plate_is_masked", "currency")} == {
        "iss": "https://pay.example",
        "plate": "京A•••31",
        "plate_is_masked": True,
        "currency": "CNY",
    }
    assert claims["operator"]["name"] == "Riverside Parking"
    assert (claims["place"]["name"], claims["place"]["timezone"]) == ("Riverside", "Asia/Shanghai")
    assert (claims["total_minor"], claims["lines"]) == (1500, bill.lines)
    assert claims["entered_at"] == bill.basis["entered_at"]
    assert claims["left_at"] == bill.basis["priced_until"]
    assert claims["payment"]["amount_minor"] == 1500
    assert (claims["payment"]["provider"], claims["payment"]["method"]) == ("fake", "mandate")
    assert claims["refunds"] == []
    assert claims["bill"] == {
        "id": str(bill.id),
        "version": 1,
        "state": "paid",
        "issued_at": bill.issued_at.isoformat(),
        "corrects_id": None,
        "corrected_by_id": None,
    }
    assert issued.rate_table == RATE_TABLE
    assert issued.keys_url == "https://pay.example/.well-known/sesame-receipt-keys.json"
    found = check_receipt(ReceiptDocument(issued.jws, issued.rate_table), SIGNER.keys)
    assert answers(found) == ALL_YES
    # Nothing about the driver is in it, nor the plate.
    assert str(bill.driver_id) not in json.dumps(claims)
    assert PLATE not in json.dumps(claims, ensure_ascii=False)


async def test_the_same_facts_give_the_same_receipt(world: LaneWorld) -> None:
    bill = await paid_bill(world)
    first = await receipt_of(world, bill)
    world.wait(days=3)
    assert await receipt_of(world, bill) == first
    full = await receipt_of(world, bill, with_plate=True)
    assert full.number != first.number
    assert open_receipt(full.jws, SIGNER.keys)["plate"] == PLATE


async def test_an_unpaid_bill_has_none_and_without_a_key_there_are_none(world: LaneWorld) -> None:
    await world.drive_in()
    world.wait(minutes=75)
    assert (await world.drive_out()).action == "pay"
    [bill] = await bills_of(world)
    with pytest.raises(ReceiptNotReadyError, match="expected a paid one"):
        await receipt_of(world, bill)
    object.__setattr__(world.context, "receipts", None)
    with pytest.raises(ReceiptsUnavailableError, match="SESAME_RECEIPT_KEY_FILE"):
        await receipt_of(world, bill)


async def test_a_prepaid_and_a_free_bill_have_receipts_too(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    await prepay.prepay(world.context, driver_id, session_id)
    world.wait(minutes=60)
    await world.drive_out()
    first, second = await bills_of(world)
    before = open_receipt((await receipt_of(world, first)).jws, SIGNER.keys)
    assert before["left_at"] is None
    issued = await receipt_of(world, second)
    found = check_receipt(ReceiptDocument(issued.jws, issued.rate_table), SIGNER.keys)
    assert answers(found) == ALL_YES
    assert [item.line["reason"] for item in found.lines][-1] == "paid_before"
    await world.drive_in("京B00001")
    world.wait(minutes=5)
    await world.drive_out("京B00001")
    free = (await bills_of(world))[-1]
    issued = await receipt_of(world, free)
    found = check_receipt(ReceiptDocument(issued.jws, issued.rate_table), SIGNER.keys)
    assert answers(found) == ALL_YES
    assert answer(found, "paid").words == "nothing was due"


async def test_a_refunded_bill_names_its_successor_and_both_verify(world: LaneWorld) -> None:
    bill = await paid_bill(world)
    old = await receipt_of(world, bill)
    async with world.context.database.begin() as unit:
        refund = await refunds.request_refund(
            unit, bill, Money(500, "CNY"), cause="test", reason="Goodwill", by="Ada"
        )
    lowered = (await bills_of(world))[-1]
    pending = open_receipt((await receipt_of(world, lowered)).jws, SIGNER.keys)
    assert pending["refunds"][0]["refunded_at"] is None
    await refunds.send(world.context, refund.operator_id, refund.id)
    first, second = await bills_of(world)
    assert (first.state, second.version, second.corrects_id) == ("corrected", 2, first.id)
    now_old, now_new = await receipt_of(world, first), await receipt_of(world, second)
    claims = open_receipt(now_old.jws, SIGNER.keys)
    assert (claims["bill"]["state"], claims["bill"]["corrected_by_id"]) == (
        "corrected",
        str(second.id),
    )
    for issued in (old, now_old, now_new):
        found = check_receipt(ReceiptDocument(issued.jws, issued.rate_table), SIGNER.keys)
        assert answers(found) == ALL_YES, found
    assert answer(found, "paid").words == "fake took 15.00 CNY, 5.00 CNY went back"
    assert [item.line["reason"] for item in found.lines][-1] == "waived"
    for version in (first, second):
        stored = await verified(world, version.id)
        assert stored.is_verified, stored.first_problem
    told = answer(await verified(world, first.id), "versions")
    assert told.words == f"corrected: version 2 counts, over 10.00 CNY, bill {second.id}"
    # The driver reads this; who at the operator did it is not said.
    assert "Ada" not in str(await verified(world, second.id))


CHANGES: Final[list[tuple[str, object, str]]] = [
    ("lines.0.amount_minor", 1400, "lines"),
    ("lines.0.reason", "free", "lines"),
    ("lines.0.starts_at", "2026-01-01T00:00:00+00:00", "lines"),
    ("lines.0.note", "thanks", "lines"),
    ("lines.0.running_total_minor", 0, "lines"),
    ("lines", [], "lines"),
    ("total_minor", 1400, "total"),
    ("currency", "EUR", "total"),
    ("basis.entered_at", "2026-01-01T00:00:00+00:00", "basis"),
    ("entered_at", "2026-01-01T00:00:00+00:00", "basis"),
    ("left_at", None, "basis"),
    ("basis.priced_from", "2026-01-01T00:00:00+00:00", "lines"),
    ("basis.circumstances", {"billed_before_minor": 100}, "lines"),
    ("basis.circumstances", {"has_pass": "yes"}, "basis"),
    ("basis.paid_minor", 100, "lines"),
    ("basis.credits", [{"reason": "waived", "amount_minor": -1}], "lines"),
    ("basis.rate_table_sha256", "0" * 64, "rate_table"),
    ("payment.amount_minor", 1000, "paid"),
    ("plate", "京B•••32", "receipt"),
    ("bill.id", "01a20710-6c28-7a9d-a7ed-9759452a2ae5", "receipt"),
    ("bill.id", "x", "receipt"),
    ("operator.name", "Another", "receipt"),
    ("format", 2, "receipt"),
    ("more", 1, "receipt"),
    ("lines.0", 7, "receipt"),
    ("lines.0", {"reason": "x", "amount_minor": 1.5}, "receipt"),
    ("total_minor", -1, "receipt"),
]


async def test_not_even_we_can_sign_what_does_not_add_up(world: LaneWorld) -> None:
    receipt = Receipt.of(await receipt_of(world, await paid_bill(world)))
    assert check_receipt(receipt.signed(), SIGNER.keys).is_verified
    for path, value, question in CHANGES:
        changed = receipt.changed(path, value)
        found = check_receipt(changed.signed(), SIGNER.keys)
        assert not found.is_verified, path
        assert answers(found)[question] is False, (path, answers(found))


async def test_another_rate_table_is_found_however_little_it_differs(world: LaneWorld) -> None:
    receipt = Receipt.of(await receipt_of(world, await paid_bill(world)))
    for change in ({"grace": 11}, {"currency": "EUR"}, {"timezone": "Asia/Urumqi"}, {"no": 1}):
        table = receipt.rate_table | change
        found = check_receipt(Receipt(receipt.claims, table).signed(), SIGNER.keys)
        assert answers(found)["rate_table"] is False
    without = check_receipt(ReceiptDocument(receipt.signed().jws, None), SIGNER.keys)
    assert answers(without)["lines"] is None
    assert "rate table is not beside it" in answer(without, "lines").words
    # The order of its members is not part of what it says.
    turned = dict(reversed(receipt.rate_table.items()))
    assert check_receipt(Receipt(receipt.claims, turned).signed(), SIGNER.keys).is_verified


async def test_who_signed_counts_and_not_what_stands_beside_it(world: LaneWorld) -> None:
    receipt = Receipt.of(await receipt_of(world, await paid_bill(world)))
    stranger = ReceiptSigner(Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    forged = ReceiptDocument(stranger.sign(receipt.claims), receipt.rate_table)
    found = check_receipt(forged, SIGNER.keys)
    problem = found.first_problem
    assert problem is not None
    assert (problem.name, problem.found) == ("receipt", "RECEIPT_KEY_UNKNOWN")
    # Keys that come with the file are not even read.
    beside = json.loads(file_of(forged)) | {"keys": dict(stranger.key_set)}
    assert read_document(json.dumps(beside).encode()) == forged
    unsigned = check_receipt(receipt.signed(), None)
    assert not unsigned.is_verified
    assert answers(unsigned) == ALL_YES | {"receipt": False}
    rotated = ReceiptSigner(
        Ed25519PrivateKey.from_private_bytes(b"n" * 32), list(SIGNER.keys.values())
    )
    assert check_receipt(receipt.signed(), rotated.keys).is_verified


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"{}",
        b'{"receipt": 1}',
        b'{"receipt": "a", "rate_table": []}',
        b'{"receipt":"","receipt":""}',
    ],
)
def test_files_that_are_none(raw: bytes) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_document(raw)
    assert refused.value.field.startswith("receipt")


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"a.b.c", b'{"receipt": "e30.e30.e30"}'])
def test_what_is_no_receipt_does_not_verify(raw: bytes) -> None:
    assert not check_receipt(read_document(raw), SIGNER.keys).is_verified


@pytest.mark.parametrize(
    ("plate", "masked"),
    [
        ("京A88731", "京A•••31"),
        ("粤B12345D", "粤B••••5D"),
        ("MUC123", "M••••3"),
        ("AB12", "A••2"),
        ("AB1", "A••"),
        ("A", "A••"),
    ],
)
def test_a_mask_never_shows_most_of_a_plate(plate: str, masked: str) -> None:
    assert mask_plate(plate) == masked


JUNK: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    1e300,
    2**53 - 1,
    "",
    "x" * 600,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59+00:00",
    "../etc/passwd",
    [],
    [[]],
    {},
)


def paths_of(value: object, path: str = "") -> Iterator[str]:
    """Yield the path of everything in a JSON value."""
    if path:
        yield path
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
    elif isinstance(value, list):
        items = enumerate(cast("list[object]", value))
    for name, member in items:
        yield from paths_of(member, f"{path}.{name}".lstrip("."))


async def assert_junk_is_refused(issued: IssuedReceipt) -> None:
    claims = open_receipt(issued.jws, SIGNER.keys)
    shown: set[str] = set()
    for path in paths_of(claims):
        for value in JUNK:
            changed = Receipt(claims, {}).changed(path, value)
            if changed.claims == claims:
                continue
            document = ReceiptDocument(SIGNER.sign(changed.claims), issued.rate_table)
            found = check_receipt(document, SIGNER.keys)
            assert not found.is_verified, (path, value)
            # Drawing the answer costs the most, and the same one looks the same.
            if repr(found) not in shown:
                shown.add(repr(found))
                bill_report.show(found, Console(file=io.StringIO()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lines.0.amount_minor", 10**4000),
        ("lines.0.running_total_minor", 2**53),
        ("iat", 10**400),
        ("operator.name", "\ud800"),
        ("lines.0.note", "\udc00"),
    ],
)
async def test_what_has_no_canonical_form_is_no_receipt(
    world: LaneWorld, path: str, value: object
) -> None:
    issued = await receipt_of(world, await paid_bill(world))
    head, _, signature = issued.jws.split(".")
    claims = Receipt.of(issued).changed(path, value).claims
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    document = ReceiptDocument(f"{head}.{body}.{signature}", issued.rate_table)
    found = check_receipt(document, SIGNER.keys)
    assert answers(found) == {"receipt": False}
    bill_report.show(found, Console(file=io.StringIO()))


@pytest.mark.parametrize("timezone", ["Europe", "A" * 400, "../x", "", "\x00"])
async def test_a_zone_that_is_none_is_read_in_utc(world: LaneWorld, timezone: str) -> None:
    issued = await receipt_of(world, await paid_bill(world))
    forged = Receipt.of(issued).changed("place.timezone", timezone).signed()
    shown = io.StringIO()
    bill_report.show(check_receipt(forged, SIGNER.keys), Console(file=shown))
    assert "Not verified" in shown.getvalue()


async def test_no_forgery_crashes_the_check(world: LaneWorld) -> None:
    await assert_junk_is_refused(await receipt_of(world, await paid_bill(world)))


async def test_a_pass_has_a_receipt_that_needs_no_rate_table(world: LaneWorld) -> None:
    desk = PassDesk(world)
    await desk.buy(await desk.buyer(), await desk.add_product(is_prorated=True))
    [bill] = await bills_of(world)
    issued = await receipt_of(world, bill)
    assert issued.rate_table is None
    found = check_receipt(ReceiptDocument(issued.jws, None), SIGNER.keys)
    wanted = dict(ALL_YES)
    del wanted["rate_table"]
    assert answers(found) == wanted
    assert [item.is_same for item in found.lines] == [True]
    assert open_receipt(issued.jws, SIGNER.keys)["plate"] is None
    await assert_junk_is_refused(issued)
