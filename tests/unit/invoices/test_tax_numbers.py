import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from parking.invoices.tax_numbers import (
    checked_credit_code,
    checked_iban,
    checked_vat_id,
    credit_check_character,
)
from parking.kit.errors import InvalidInputError


@pytest.mark.parametrize(
    ("given_id", "stored"),
    [
        ("de 123.456-789", "DE123456789"),
        ("ATU12345678", "ATU12345678"),
        ("FR 1A 123456789", "FR1A123456789"),
        ("NL123456789B01", "NL123456789B01"),
        ("EL123456789", "EL123456789"),
        ("CHE-123.456.789 MWST", "CHE123456789MWST"),
        ("GB123456789", "GB123456789"),
    ],
)
def test_takes_vat_ids_in_the_form_of_their_country(given_id: str, stored: str) -> None:
    assert checked_vat_id("vatId", given_id) == stored


@pytest.mark.parametrize(
    "given_id",
    [
        "",
        "DE12345678",
        "DE1234567890",
        "DE12345678X",
        "XX123456789",
        "GR123456789",
        "123456789",
        "DE" + "1" * 10_000,
        "DE\u0661\u0662\u0663456789",
    ],
)
def test_refuses_vat_ids_of_another_form(given_id: str) -> None:
    with pytest.raises(InvalidInputError, match="vatId: expected a VAT identifier"):
        checked_vat_id("vatId", given_id)


def test_takes_a_credit_code_with_the_right_check_digit() -> None:
    assert checked_credit_code("vatId", " 91110000600037341l ") == "91110000600037341L"


@pytest.mark.parametrize(
    "code", ["91110000600037342L", "91110000600037341A", "9111000060003734", "9111000060003734IL"]
)
def test_refuses_a_credit_code_with_another(code: str) -> None:
    with pytest.raises(InvalidInputError, match="unified social credit code"):
        checked_credit_code("vatId", code)


@given(
    st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=2, max_size=2),
    st.text("0123456789", min_size=6, max_size=6),
    st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=9, max_size=9),
)
def test_the_check_digit_is_the_one_that_others_compute(
    office: str, region: str, body: str
) -> None:
    first = office + region + body
    assert credit_check_character(first) == uscc.calc_check_digit(first)


@given(st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_wrong_character_is_found(place: int, char: str) -> None:
    right = "91110000600037341L"
    wrong = right[:place] + char + right[place + 1 :]
    if wrong == right:
        assert checked_credit_code("vatId", wrong) == right
        return
    with pytest.raises(InvalidInputError):
        checked_credit_code("vatId", wrong)
    with pytest.raises(ValidationError):
        uscc.validate(wrong)


def test_checks_an_iban() -> None:
    assert checked_iban("iban", "de89 3704 0044 0532 0130 00") == "DE89370400440532013000"
    for wrong in ("DE88370400440532013000", "DE89", "", "89370400440532013000DE"):
        with pytest.raises(InvalidInputError, match="IBAN"):
            checked_iban("iban", wrong)
