from dataclasses import replace
from importlib.resources import files
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from fontTools.ttLib import TTFont

from parking.invoices.parties import Buyer, checked_buyer, checked_seller
from parking.invoices.written_text import can_draw, checked_text
from parking.kit.errors import InvalidInputError
from tests.factories.invoices import BUYER, CHINESE_SELLER, SELLER, buyer, seller


@pytest.mark.parametrize("name", ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"])
def test_the_fonts_have_what_may_be_written(name: str) -> None:
    path = files("parking.invoices").joinpath("fonts", name)
    font: Any = TTFont(BytesIO(path.read_bytes()))
    drawn: set[int] = set(font.getBestCmap())
    accepted = {code for code in range(0x20, 0x3000) if can_draw(chr(code))}
    assert accepted - drawn == set()
    # A soft hyphen is drawn, and refused because nobody sees it.
    assert drawn - accepted == {0xAD}


@pytest.mark.parametrize("text", ["你好", "שלום", "مرحبا", "🚗", "A你"])
def test_refuses_what_the_font_cannot_draw(text: str) -> None:
    with pytest.raises(InvalidInputError, match="Latin, Greek or Cyrillic characters, not U\\+"):
        checked_text("buyer.name", text, length_max=100)


@pytest.mark.parametrize(
    "char", ["\x00", "\n", "\t", "\x1b", "\u200b", "\u202e", "\u2066", "\ufeff", "\ue000", "\ufffe"]
)
@pytest.mark.parametrize("any_script", [False, True])
def test_refuses_what_cannot_be_seen(char: str, *, any_script: bool) -> None:
    with pytest.raises(InvalidInputError, match="visible characters only"):
        checked_text("buyer.name", f"A{char}B", length_max=100, any_script=any_script)


@pytest.mark.parametrize("text", ["", "   ", "x" * 161, "x" * 10_240])
def test_refuses_names_that_are_empty_or_endless(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"buyer\.name"):
        buyer(name=text)


def test_composes_letters() -> None:
    assert checked_text("name", " Mu\u0308ller ", length_max=20) == "Müller"


def test_stores_a_seller_in_one_form() -> None:
    given = {"country": "de", "vat_id": "de 123 456 789", "iban": "DE89 3704 0044 0532 0130 00"}
    assert seller(**given) == SELLER


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"country": "XX"}, "country"),
        ({"prefix": "rp-"}, "prefix"),
        ({"timezone": "Berlin"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"vat_basis_points": -1}, "vatBasisPoints"),
        ({"vat_basis_points": 5001}, "vatBasisPoints"),
        ({"place_vat": {"x": 9999}}, "placeVat"),
        ({"vat_id": "DE1"}, "vatId"),
        ({"vat_id": None, "tax_number": None}, "vatId"),
        ({"vat_basis_points": 0}, "vatExemptionReason"),
        ({"iban": "DE00"}, "iban"),
        ({"email": "nobody"}, "email"),
        ({"legal_name": "河畔"}, "legalName"),
    ],
)
def test_refuses_sellers_that_cannot_stand_on_an_invoice(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        seller(**changes)
    assert caught.value.field == field


def test_a_chinese_seller_has_a_credit_code_and_any_script() -> None:
    assert checked_seller(CHINESE_SELLER) == CHINESE_SELLER
    wrong = replace(CHINESE_SELLER, tax_number="91110000600037342L")
    with pytest.raises(InvalidInputError, match="taxNumber"):
        checked_seller(wrong)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"street": None}, "buyer.street"),
        ({"city": ""}, "buyer.city"),
        ({"country": "Poland"}, "buyer.country"),
        ({"vat_id": "91110000600037341L"}, "buyer.vatId"),
        ({"email": "a@b"}, "buyer.email"),
    ],
)
def test_refuses_buyers_that_cannot_stand_on_an_invoice(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        buyer(**changes)
    assert caught.value.field == field


def test_a_fapiao_needs_a_title_and_a_company_its_code() -> None:
    person = Buyer(name="王小明", country="CN")
    assert checked_buyer(person, CHINESE_SELLER) == person
    company = Buyer(name="某某科技有限公司", country="CN", vat_id="91110000600037341l")
    assert checked_buyer(company, CHINESE_SELLER).vat_id == "91110000600037341L"
    with pytest.raises(InvalidInputError, match="unified social credit code"):
        checked_buyer(BUYER, CHINESE_SELLER)


def test_rates_of_places_are_found_however_their_ids_are_spelled() -> None:
    place_id = UUID("0199c1a2-b3c4-7d5e-8f90-a1b2c3d4e5f6")
    for spelled in (str(place_id).upper(), place_id.hex):
        assert seller(place_vat={spelled: 700}).rate_at(place_id) == 700
    with pytest.raises(InvalidInputError, match="placeVat: expected places by their UUIDs"):
        seller(place_vat={"Riverside": 700})
