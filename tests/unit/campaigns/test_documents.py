"""What a campaign may say and to whom: errors name the path, and nothing strange gets in."""

from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from parking.campaigns.content import Content, filled, previews
from parking.campaigns.document import document_schema, read_document, write_document
from parking.campaigns.drawing import arm_of, draw
from parking.campaigns.filters import CLAUSES_MAX, filter_schema, read_filter
from parking.campaigns.models import Arm
from parking.kit.errors import InvalidInputError

PLACE = "0193b8a0-0000-7000-8000-000000000001"
CAMPAIGN: dict[str, Any] = {
    "filter": {
        "kind": "all",
        "of": [
            {"kind": "recency", "withinDays": 30},
            {"kind": "not", "that": {"kind": "pass"}},
            {"kind": "any", "of": [{"kind": "visits", "atLeast": 3}, {"kind": "everybody"}]},
            {"kind": "place", "placeIds": [PLACE], "visitsAtLeast": 2},
            {"kind": "spend", "currency": "CNY", "atLeastMinor": 100},
            {"kind": "merchant", "categories": ["restaurant"], "withinDays": 90},
            {"kind": "vehicle", "kinds": ["ev"]},
        ],
    },
    "trigger": {"kind": "schedule", "at": "2026-12-01T09:00", "timezone": "Asia/Shanghai"},
    "content": {"en": {"title": "Room at {place}", "body": "Come again."}},
    "budget": {"messagesMax": 100},
}


def changed(path: str, value: object) -> dict[str, Any]:
    found = deepcopy(CAMPAIGN)
    part: Any = found
    *steps, last = path.split(".")
    for step in steps:
        part = part[int(step) if step.isdigit() else step]
    part[int(last) if last.isdigit() else last] = value
    return found


def test_a_document_is_written_out_whole_and_read_again_the_same() -> None:
    written = write_document(read_document(CAMPAIGN))
    assert written["holdoutPermille"] == 100
    assert written["measurement"] == {"outcome": "visit", "withinDays": 14, "spendMinorMin": 1}
    assert write_document(read_document(written)) == written


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("filter.of.0.withinDays", 0, "campaign.filter.of.0.withinDays: expected greater than"),
        ("filter.of.1.that", {"kind": "guess"}, "campaign.filter.of.1.that: expected `kind`"),
        ("filter.of.3.placeIds", ["x"], "campaign.filter.of.3.placeIds.0: expected a valid UUID"),
        ("filter.of.0.sql", "1=1", "campaign.filter.of.0.sql: expected no field of this name"),
        ("trigger.timezone", "Mars/Base", "campaign.trigger.timezone: expected an IANA name"),
        ("trigger.at", "tomorrow", "campaign.trigger.at: expected day and time such as 2026"),
        ("trigger.at", "0001-01-01T00:00", "campaign.trigger.at: expected day and time such as"),
        ("trigger.at", "2026-12-01T0\u0669:00", "campaign.trigger.at: expected day and time"),
        ("trigger.timezone", "localtime", "campaign.trigger.timezone: expected an IANA name"),
        ("trigger.lastDay", "2026-12-31", "campaign.trigger.lastDay: expected a day not before"),
        (
            "trigger",
            {"kind": "lapse", "days": 30, "at": "1\u0669:30", "timezone": "Asia/Shanghai"},
            "campaign.trigger.at: expected a time such as 09:30",
        ),
        ("content.en.title", "a\nb", "campaign.content.en: expected title: printable"),
        ("filter.of.0.pass", 1, "campaign.filter.of.0.pass: expected no field of this name"),
        (
            "filter.of.0",
            {"kind": "visits", "atLeast": 5, "atMost": 2},
            "campaign.filter.of.0.atMost: expected 5 or more",
        ),
        (
            "filter.of.0",
            {"kind": "merchant", "categories": ["food\x00"], "withinDays": 3},
            "campaign.filter.of.0.categories.0: expected printable characters",
        ),
        ("budget.minorMax", 100, "campaign.budget: expected messageMinor of 1 or more"),
        ("content.en.title", "{plate}", "campaign.content.en: expected title: only {place}"),
        ("content.en.title", "a { b", "campaign.content.en: expected title: every brace"),
        ("content.en.body", "{place}" * 9, "campaign.content.en: expected body: at most 240"),
        ("budget.messagesMax", True, "campaign.budget.messagesMax: expected a valid integer"),
        ("measurement", {"outcome": "redemption"}, "campaign: expected a coupon attached"),
        ("attachment", {"kind": "gold"}, "campaign.attachment: expected `kind`"),
        ("holdoutPermille", 501, "campaign.holdoutPermille: expected less than or equal"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(path: str, value: object, expected: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_document(changed(path, value))
    assert str(refused.value).startswith(expected)


def test_filters_are_bounded_before_they_are_read() -> None:
    deep: dict[str, Any] = {"kind": "everybody"}
    for _ in range(10_000):
        deep = {"kind": "not", "that": deep}
    wide = {"kind": "any", "of": [{"kind": "everybody"}] * CLAUSES_MAX}
    for data in (deep, wide):
        with pytest.raises(InvalidInputError, match="at most"):
            read_filter(data)


def test_the_published_forms_say_the_same() -> None:
    for schema in (filter_schema(), document_schema()):
        Draft202012Validator.check_schema(schema)
    validator: Any = Draft202012Validator(document_schema())
    assert validator.is_valid(CAMPAIGN)
    assert not validator.is_valid(changed("filter.of.0.withinDays", 0))
    assert not validator.is_valid(changed("filter.of.1.that", {"kind": "guess"}))


def test_what_a_value_says_is_never_read_as_a_name() -> None:
    assert filled("{place}: {visits}", {"place": "{visits}", "visits": "3"}) == "{visits}: 3"
    assert filled("{place}!", {}) == "!"


def test_previews_are_of_the_languages_that_there_are() -> None:
    content = Content.model_validate(
        {
            "en": {"title": "Room at {place}", "body": "Hello"},
            "zh": {"title": "{place}有空位", "body": "您好"},
        }
    )
    assert [(one.language, one.title) for one in previews(content)] == [
        ("en", "Room at Quay Car Park"),
        ("zh", "码头停车场有空位"),
    ]


def test_a_driver_stays_where_the_hash_put_them() -> None:
    salt, other = UUID(int=1), UUID(int=2)
    drivers = [UUID(int=number << 70) for number in range(2000)]
    numbers = [draw(salt, each) for each in drivers]
    assert numbers == [draw(salt, each) for each in drivers]
    assert 150 <= sum(number < 100 for number in numbers) <= 250
    both = sum(draw(salt, each) < 500 and draw(other, each) < 500 for each in drivers)
    # Salts are unrelated: a quarter is in both halves.
    assert 430 <= both <= 570
    # The first four bytes of the SHA-256 of a 1 and a 0 of sixteen bytes each: 3269aeb6.
    assert draw(salt, UUID(int=0)) == 0x3269AEB6 % 1000
    assert (
        arm_of(
            drivers[0],
            control_salt=other,
            control_permille=1000,
            salt=salt,
            holdout_permille=1000,
        )
        is Arm.CONTROL
    )
