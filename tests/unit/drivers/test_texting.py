"""Whom a code may be sent to."""

import pytest

from parking.drivers.texting import SmsPolicy, read_countries, textable_phone
from parking.kit.errors import InvalidInputError

EVERYWHERE = SmsPolicy()
NORTH = SmsPolicy(countries=frozenset({"DE", "CA"}))


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("+86 138 0013 8000", "+8613800138000"),
        ("+49 151 12345678", "+4915112345678"),
        ("+1 650 253 0000", "+16502530000"),
        ("+44 56 1234 5678", "+445612345678"),
        ("+49 30 123456", "+4930123456"),
    ],
)
def test_a_persons_number(typed: str, number: str) -> None:
    assert textable_phone(typed, EVERYWHERE) == number


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("+449012345678", id="premium rate"),
        pytest.param("+979123456789", id="premium rate of no country"),
        pytest.param("+4918012345", id="shared cost"),
        pytest.param("+445512345678", id="company-wide"),
        pytest.param("+447640123456", id="pager"),
        pytest.param("+49177991234567", id="voicemail"),
        pytest.param("+18002345678", id="toll-free"),
        pytest.param("+447012345678", id="personal"),
        pytest.param("+881612345678", id="satellite"),
        pytest.param("+870301234567", id="ship"),
        pytest.param("+883510012345", id="international network"),
    ],
)
def test_a_number_that_pays_who_asks(typed: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        textable_phone(typed, EVERYWHERE)
    assert str(refused.value) == (
        "phone_number: expected a person's own number that receives text messages, "
        "such as that of a mobile"
    )


def test_countries() -> None:
    assert textable_phone("+4915112345678", NORTH) == "+4915112345678"
    assert textable_phone("+15062345678", NORTH) == "+15062345678"
    for abroad in ("+8613800138000", "+16502530000", "+447400123456"):
        with pytest.raises(InvalidInputError) as refused:
            textable_phone(abroad, NORTH)
        assert str(refused.value) == (
            "phone_number: expected a number of one of these countries: CA, DE"
        )


@pytest.mark.parametrize(
    ("text", "countries"), [("", set[str]()), ("DE", {"DE"}), (" de, AT ,", {"AT", "DE"})]
)
def test_reading_countries(text: str, countries: set[str]) -> None:
    assert read_countries(text, field="SESAME_SMS_COUNTRIES") == countries


@pytest.mark.parametrize("text", ["Germany", "D", "49", "DE;AT", "001", "ZZ"])
def test_what_is_no_country(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_countries(text, field="SESAME_SMS_COUNTRIES")
    assert str(refused.value) == (
        "SESAME_SMS_COUNTRIES: expected ISO 3166 codes with commas between them, such as DE,AT"
    )
