"""What a bill follows from: the same lines whenever, and no more of it on a receipt than needed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.flows.bills.bill_basis import BillBasis, Evidence, StoredCredit, recompute
from parking.flows.bills.bill_lines import read_lines, stored_lines
from parking.flows.proof.receipt_claims import least_basis
from parking.kit.errors import InvalidInputError
from parking.tariffs.fingerprints import fingerprint_of
from parking.tariffs.rules import Circumstances, Vehicle, read_rate_table

ENTERED_AT: Final = datetime(2026, 11, 23, 9, tzinfo=UTC)
SEEN: Final = Evidence(presentation_id=UUID(int=1), observation_id=UUID(int=2))
TABLE: Final[dict[str, Any]] = {
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "collections": [
        {"name": "day", "lines": [{"kind": "increment", "value": 200, "block": 60, "from": 0}]}
    ],
    "variants": [
        {
            "name": "residents",
            "priority": 1,
            "eligibility": {"resident": True},
            "collections": [
                {
                    "name": "day",
                    "lines": [{"kind": "increment", "value": 50, "block": 60, "from": 0}],
                }
            ],
        }
    ],
}


def basis_with(**changes: object) -> BillBasis:
    return BillBasis.model_validate(
        {
            "entered_at": ENTERED_AT,
            "priced_from": ENTERED_AT,
            "priced_until": ENTERED_AT + timedelta(hours=3),
            "rate_table_id": UUID(int=3),
            "rate_table_sha256": fingerprint_of(TABLE),
            "entry": SEEN,
            **changes,
        }
    )


def due_minor(basis: BillBasis) -> int:
    return recompute(basis, TABLE).due.amount_minor


def test_the_lines_follow_from_the_basis_and_add_up() -> None:
    assert due_minor(basis_with()) == 600
    assert due_minor(basis_with(paid_minor=200)) == 400
    assert due_minor(basis_with(paid_minor=900)) == 0
    assert due_minor(basis_with(grace_until=ENTERED_AT + timedelta(hours=4))) == 0
    assert due_minor(basis_with(grace_until=ENTERED_AT + timedelta(hours=2))) == 600
    given_up = (StoredCredit(reason="waived", amount_minor=-150, note="Goodwill"),)
    found = recompute(basis_with(paid_minor=200, credits=given_up), TABLE)
    assert [(line.reason, line.amount_minor) for line in found.lines] == [
        ("increment", 600),
        ("paid_before", -200),
        ("waived", -150),
    ]
    assert found.due.amount_minor == sum(line.amount_minor for line in found.lines) == 250
    assert read_lines(stored_lines(found.lines)) == found.lines


@given(
    st.integers(0, 400 * 24 * 60),
    st.integers(0, 100_000),
    st.integers(-100_000, 0),
    st.booleans(),
)
def test_a_basis_that_was_stored_gives_the_same_lines(
    minutes: int, paid_minor: int, credit_minor: int, is_resident: bool
) -> None:
    basis = basis_with(
        priced_until=ENTERED_AT + timedelta(minutes=minutes),
        paid_minor=paid_minor,
        credits=(StoredCredit(reason="waived", amount_minor=credit_minor),),
        circumstances=Circumstances(vehicle=Vehicle(is_resident=is_resident)),
    )
    stored = BillBasis.from_json(json.loads(json.dumps(basis.to_json())))
    assert stored == basis
    found = recompute(stored, TABLE)
    assert found == recompute(basis, TABLE)
    assert found.due.amount_minor == sum(line.amount_minor for line in found.lines) >= 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("paid_minor", "100"),
        ("paid_minor", 1.0),
        ("priced_from", "2026"),
        ("priced_from", 1_700_000_000),
        ("priced_from", "2026-11-23T09:00:00"),
        ("rate_table_sha256", "x"),
        ("format", 2),
        ("more", 1),
    ],
)
def test_a_basis_that_is_none_names_the_field(path: str, value: object) -> None:
    with pytest.raises(InvalidInputError) as refused:
        BillBasis.from_json(basis_with().to_json() | {path: value})
    assert refused.value.field == f"basis.{path}"


def test_a_receipt_keeps_only_what_the_price_depends_on() -> None:
    table = read_rate_table(TABLE)
    everything = Circumstances(
        vehicle=Vehicle(vehicle_class="van", is_ev=True, is_resident=True),
        has_pass=True,
        merchants=("Pharmacy",),
        allowances_used_s={"first hour": {"2026-11-23": 60}},
    )
    basis = basis_with(circumstances=everything)
    least = least_basis(basis, table)
    # The price of a resident needs it to be said; what else is known is nobody's business.
    assert least.circumstances == Circumstances(vehicle=Vehicle(is_resident=True))
    assert recompute(least, TABLE) == recompute(basis, TABLE)
    stranger = everything.model_copy(update={"vehicle": Vehicle(vehicle_class="van", is_ev=True)})
    assert least_basis(basis_with(circumstances=stranger), table).circumstances == Circumstances()
