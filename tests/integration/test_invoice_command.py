"""`sesame invoice seller` against a real database."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from parking.invoices.parties import SELLER as SELLER_FORM
from parking.kit.errors import InvalidInputError
from sesame.commands.invoice import invoice_app
from tests.factories.invoices import SELLER
from tests.integration.place_commands import add_place


@pytest.fixture
def operator_id(tmp_path: Path, command_settings: None) -> str:
    return add_place(tmp_path, "entry:In")["operator_id"]


def set_seller(folder: Path, operator_id: str, **changes: object) -> dict[str, Any]:
    file = folder / "seller.json"
    told = SELLER_FORM.dump_python(SELLER, mode="json") | changes
    file.write_text(json.dumps(told), encoding="utf-8")
    words = ["seller", "--operator", operator_id, "--file", str(file), "--by", "Lin", "--json"]
    return json.loads(CliRunner().invoke(invoice_app, words, catch_exceptions=False).stdout)


def test_a_seller_is_stored_for_an_operator_that_exists(tmp_path: Path, operator_id: str) -> None:
    place_id = uuid4()
    told = {"place_vat": {str(place_id).upper(): 700}, "vat_id": "de 123 456 789"}
    stored = set_seller(tmp_path, operator_id, **told)
    assert stored["place_vat"] == {str(place_id): 700}
    assert stored["vat_id"] == "DE123456789"
    for other, changes, field in (
        (str(uuid4()), {}, "operator"),
        (operator_id, {"place_vat": {"Riverside": 700}}, "placeVat"),
        (operator_id, {"vat_basis_points": "19"}, "vat_basis_points"),
        (operator_id, {"vat_basis_points": 19.5}, "vat_basis_points"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            set_seller(tmp_path, other, **changes)
        assert caught.value.field == field
