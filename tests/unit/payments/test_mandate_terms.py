"""The terms that a driver confirms: every language says the same, and a digest names one text."""

import string
from dataclasses import replace
from uuid import UUID

import pytest

from parking.kit.crypto import Vault
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.mandate_terms import LOCALES, Limits, Terms, texts_of

VAULT = Vault(field_key=b"f" * 32, index_key=b"i" * 32)
LIMITS = Limits(charge_minor_max=5000, day_minor_max=20000, currency="CNY")
TERMS = Terms(
    mandate_id=UUID(int=1), revision=1, provider="wechat", limits=LIMITS, plate="京A88731"
)


def test_the_text_says_what_is_allowed() -> None:
    assert TERMS.title("en") == "Password-free payment with WeChat Pay"
    scope, charge, day, *rest = TERMS.sentences("en")
    assert scope.endswith("for stays of the plate 京A88731 and for nothing else.")
    assert charge == "One charge is at most 50.00 CNY."
    assert day.startswith("All charges of one day are together at most 200.00 CNY.")
    assert rest[-1].endswith("the permission on the page of WeChat Pay.")
    unlimited = replace(TERMS, limits=Limits(), plate=None).sentences("en")
    assert "every plate that you have bound" in unlimited[0]
    assert unlimited[1].startswith("You set no limit of your own for one charge")
    assert unlimited[2].startswith("You set no limit of your own for a day")


def test_every_language_has_the_same_sentences_with_the_same_names() -> None:
    def names(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}

    english = texts_of("en")
    for locale in LOCALES:
        texts = texts_of(locale)
        assert set(texts) == set(english)
        assert set(texts["providers"]) == set(english["providers"])
        for key, text in english.items():
            if key != "providers":
                assert names(texts[key]) == names(text), (locale, key)
        assert "50.00 CNY" in "".join(TERMS.sentences(locale))
        assert "京A88731" in "".join(TERMS.sentences(locale))


def test_a_digest_names_one_text_of_one_revision_of_one_mandate() -> None:
    others = [
        TERMS,
        replace(TERMS, revision=2),
        replace(TERMS, mandate_id=UUID(int=2)),
        replace(TERMS, plate="京A88732"),
        replace(TERMS, plate=None),
        replace(TERMS, provider="alipay"),
        replace(TERMS, limits=replace(LIMITS, charge_minor_max=5001)),
        replace(TERMS, limits=replace(LIMITS, day_minor_max=None)),
    ]
    digests = {terms.digest(VAULT, locale) for terms in others for locale in LOCALES}
    assert len(digests) == len(others) * len(LOCALES)
    for locale in LOCALES:
        assert TERMS.language_of(VAULT, TERMS.digest(VAULT, locale)) == locale
    assert others[1].language_of(VAULT, TERMS.digest(VAULT, "en")) is None
    for wrong in ("", "0" * 64, "x" * 10_000, "é"):
        assert TERMS.language_of(VAULT, wrong) is None


@pytest.mark.parametrize(
    ("before", "after", "wider"),
    [
        (LIMITS, LIMITS, False),
        (LIMITS, replace(LIMITS, charge_minor_max=4999), False),
        (LIMITS, replace(LIMITS, charge_minor_max=5001), True),
        (LIMITS, replace(LIMITS, day_minor_max=None), True),
        (LIMITS, Limits(), True),
        (LIMITS, Limits(charge_minor_max=1, day_minor_max=1, currency="EUR"), True),
        (Limits(), LIMITS, False),
        (Limits(), Limits(), False),
        (Limits(charge_minor_max=5000, currency="CNY"), LIMITS, False),
    ],
)
def test_wider_limits_are_told_from_narrower_ones(
    before: Limits, after: Limits, *, wider: bool
) -> None:
    assert after.widens(before) is wider


@pytest.mark.parametrize(
    ("charge_max", "day_max", "field"),
    [
        (Money(0, "CNY"), None, "amountMax"),
        (None, Money(-1, "CNY"), "dayMax"),
        (Money(2, "CNY"), Money(1, "CNY"), "dayMax"),
        (Money(1, "CNY"), Money(2, "EUR"), "dayMax"),
    ],
)
def test_limits_that_make_no_sense_are_refused(
    charge_max: Money | None, day_max: Money | None, field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Limits.of(charge_max, day_max)
    assert caught.value.field == field
    with pytest.raises(InvalidInputError):
        texts_of("fr")
