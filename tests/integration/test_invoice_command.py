"""`sesame invoice seller` against a real database."""

import base64
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from parking.invoices.parties import SELLER as SELLER_FORM
from parking.kit.errors import InvalidInputError
from sesame.commands.invoice import invoice_app
from sesame.commands.place import place_app
from tests.factories.invoices import SELLER
from tests.factories.lane_world import RATE_TABLE


@pytest.fixture
def operator_id(
    tmp_path: Path, database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    for name, value in (
        ("DATABASE_URL", database_url),
        ("REDIS_URL", valkey_url),
        ("SESAME_FIELD_KEY", base64.b64encode(b"f" * 32).decode()),
        ("SESAME_INDEX_KEY", base64.b64encode(b"i" * 32).decode()),
    ):
        monkeypatch.setenv(name, value)
    rates = tmp_path / "rates.json"
    rates.write_text(json.dumps(RATE_TABLE), encoding="utf-8")
    words = "add --operator-name Riverside --name Riverside --timezone Asia/Shanghai --currency CNY"
    options = ["--supply", "5", "--rate-table", str(rates), "--lane", "entry:In", "--json"]
    made = CliRunner().invoke(place_app, [*words.split(), *options], catch_exceptions=False)
    return json.loads(made.stdout)["operator_id"]


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
