"""`sesame tariff explain`: what drivers read, word for word."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from parking.kit.errors import InvalidInputError
from parking.tariffs.explain.explainer import explain
from parking.tariffs.explain.wording import LOCALES, Wording
from sesame.commands.tariff import tariff_app
from tests.unit.tariffs.own_tables import flat, increment, parsed, table

AT: Final = datetime(2025, 3, 1, tzinfo=UTC)
RICH: Final[dict[str, Any]] = table(
    {
        "name": "day",
        "days": ["mon", "tue", "wed", "thu", "fri", "sat"],
        "window": ["08:00", "20:00"],
        "cap": 1200,
        "lines": [flat(200, 0, 60), increment(150, 60, 60)],
    },
    {"days": ["sun", "holiday"], "lines": [{"kind": "free"}]},
    name="Old town",
    grace=10,
    reentry_merge=90,
    caps=[{"per": "calendar_day", "amount": 1500}],
    packages=[
        {"name": "Theatre", "days": ["fri"], "enter": ["17:00", "20:00"]}
        | {"exit": ["06:00", "08:00"], "day_offset": 1, "amount": 500}
    ],
    variants=[
        {
            "name": "motorcycles",
            "eligibility": {"vehicle_classes": ["motorcycle"]},
            "collections": [{"lines": [flat(100)]}],
        },
        {"name": "residents", "eligibility": {"resident": True}, "grace": 60},
    ],
    allowances=[{"name": "first EV hour", "minutes": 60, "eligibility": {"ev": True}}],
    validations=[{"name": "cinema", "kind": "minutes", "value": 120}],
)
THEATRE: Final = (
    "Theatre: 5.00 EUR for entering (Friday, 17:00–20:00) and leaving (06:00–08:00 on the next day)"
)


def _told(locale: str) -> list[tuple[str, tuple[str, ...]]]:
    sections = explain(parsed(RICH), AT, locale=locale).sections
    return [(section.heading, section.lines) for section in sections]


def test_english() -> None:
    assert _told("en") == [
        (
            "Monday–Saturday, 08:00–20:00",
            (
                "Up to 1 hour: 2.00 EUR once",
                "After 1 hour: 1.50 EUR for each started hour",
                "At most 12.00 EUR in this time",
            ),
        ),
        ("Sunday and public holidays, around the clock", ("Free",)),
        ("", ("At all other times parking is free.",)),
        ("At most", ("15.00 EUR a calendar day",)),
        (
            "Special prices",
            (THEATRE,),
        ),
        ("For motorcycles", ("Every day, around the clock: 1.00 EUR once",)),
        (
            "For residents",
            (
                "As above, but:",
                "Stay up to 1 hour and pay nothing. If you stay longer, the whole stay counts.",
            ),
        ),
        ("Free time", ("first EV hour: 1 hour a day for electric vehicles",)),
        ("Coupons", ("cinema: 2 hours free",)),
        (
            "Good to know",
            (
                "Stay up to 10 minutes and pay nothing. If you stay longer, the whole stay counts.",
                "Come back within 1 hour 30 minutes, and your stay goes on from its first entry.",
                "After you have paid in advance, you have 15 minutes to leave.",
            ),
        ),
    ]


def test_german_and_chinese_say_the_same() -> None:
    german, chinese = _told("de"), _told("zh")
    assert german[0] == (
        "Montag–Samstag, 08:00–20:00",
        (
            "Bis 1 Stunde: 2,00 EUR einmalig",
            "Ab 1 Stunde: 1,50 EUR je angefangene Stunde",
            "Höchstens 12,00 EUR in dieser Zeit",
        ),
    )
    assert chinese[0] == (
        "周一至周六、08:00–20:00",
        (
            "1小时以内：一次性收取2.00 EUR",
            "超过1小时后：每1小时1.50 EUR，不足1小时按1小时计",
            "本时段最高12.00 EUR",
        ),
    )
    shape = [len(lines) for _, lines in _told("en")]
    assert [len(lines) for _, lines in german] == shape
    assert [len(lines) for _, lines in chinese] == shape


def test_a_price_tag_in_china_has_no_zeros() -> None:
    wording = Wording.of("zh", "CNY")
    assert [wording.amount(each) for each in (500, 120, 1050)] == ["5元", "1.20元", "10.50元"]


def test_the_examples_are_worked() -> None:
    examples = explain(parsed(RICH), AT).examples
    assert [(each.words, each.amount_minor) for each in examples] == [
        ("One hour", 200),
        ("Three hours", 500),
        ("Overnight", 350),
        ("One day", 1200 + 150),
        # Friday 18:00 to 20:00, Saturday up to its cap; nothing on Sunday.
        ("A weekend", 350 + 1200),
    ]


def test_every_language_has_every_phrase_with_the_same_values() -> None:
    holes = {
        locale: {key: set(re.findall(r"{(\w+)}", text)) for key, text in phrases.items()}
        for locale, phrases in LOCALES.items()
    }
    assert holes["de"] == holes["en"]
    assert holes["zh"] == holes["en"]


def test_another_language_is_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="locale: expected one of en, de, zh"):
        explain(parsed(RICH), AT, locale="fr")


def test_the_command_prints_words_and_examples(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(RICH), encoding="utf-8")
    options = ["explain", "--table", str(path), "--at", "2025-03-01"]
    shown = CliRunner().invoke(tariff_app, options)
    assert shown.exit_code == 0
    assert "Monday–Saturday, 08:00–20:00\n  Up to 1 hour: 2.00 EUR once\n" in shown.stdout
    assert "Overnight (Monday 18:00 - Tuesday 08:00): 3.50 EUR\n" in shown.stdout
    report = json.loads(CliRunner().invoke(tariff_app, [*options, "--json"]).stdout)
    assert report["examples"][0] == {
        "words": "One hour",
        "entry": "2025-03-03T09:00:00+01:00",
        "exit": "2025-03-03T10:00:00+01:00",
        "amount_minor": 200,
    }
