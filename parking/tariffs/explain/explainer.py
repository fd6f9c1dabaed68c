"""A rate table told in plain words, as a driver would want to read it: a pure function."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parking.tariffs.explain.wording import Wording
from parking.tariffs.lint.week import plain_monday, tried_days
from parking.tariffs.rate_table import (
    RateCap,
    RateLine,
    RateLineCollection,
    RatePackage,
    RateTable,
    RateValidation,
    RateVariant,
)
from parking.tariffs.rules import price
from parking.tariffs.wall_clock import instant_of, wall_seconds

_HOUR: Final = 60
# Key of the phrase, day of the week, minute of entry, minutes of that day at exit.
_EXAMPLES: Final = (
    ("hour", 0, 9 * _HOUR, 10 * _HOUR),
    ("three_hours", 0, 9 * _HOUR, 12 * _HOUR),
    ("overnight", 0, 18 * _HOUR, (24 + 8) * _HOUR),
    ("day", 0, 9 * _HOUR, (24 + 9) * _HOUR),
    ("weekend", 4, 18 * _HOUR, (72 + 8) * _HOUR),
)


@dataclass(frozen=True, slots=True)
class Section:
    """Sentences under a heading; the heading is empty for none."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """What a stay of a plain week costs; times in UTC."""

    words: str
    entered_at: datetime
    left_at: datetime
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A tariff in words."""

    locale: str
    sections: tuple[Section, ...]
    examples: tuple[WorkedExample, ...]


def explain(table: RateTable, at: datetime, *, locale: str = "en") -> Explanation:
    """Return the tariff in words, with examples from the first plain week from `at` on.

    Raises:
        InvalidInputError: there are no words for `locale`.
    """
    wording = Wording.of(locale, table.currency)
    sections = [
        *_prices(table, wording, at),
        Section(wording.phrases["most"], tuple(_caps(table, wording))),
        Section(wording.phrases["packages"], tuple(_packages(table, wording))),
    ]
    sections += [_variant(table, variant, wording, at) for variant in table.variants]
    sections += [
        Section(wording.phrases["allowances"], tuple(_allowances(table, wording))),
        Section(wording.phrases["validations"], tuple(_validations(table, wording))),
        Section(wording.phrases["good_to_know"], tuple(_terms(table, wording))),
    ]
    return Explanation(
        locale=locale,
        sections=tuple(section for section in sections if section.lines),
        examples=tuple(_examples(table, wording, at)),
    )


def _prices(table: RateTable, wording: Wording, at: datetime) -> Iterator[Section]:
    for collection in table.collections:
        yield Section(_when(collection, wording), tuple(_collection(collection, wording)))
    days = tried_days(table, at)
    if any(not span.collections for day in days for span in day.spans):
        yield Section("", (wording.phrases["other_times"],))


def _when(collection: RateLineCollection, wording: Wording) -> str:
    days = wording.days(collection.days)
    named = f"{days}{wording.phrases['list_mark']}{wording.window(collection.window)}"
    return _capital(named)


def _collection(collection: RateLineCollection, wording: Wording) -> Iterator[str]:
    for line in collection.ladder:
        yield _capital(_line(line, wording, is_window=collection.clock == "window"))
    if collection.cap_minor is not None:
        yield _capital(wording.say("cap_window", amount=wording.amount(collection.cap_minor)))
    if collection.clock == "charged":
        yield wording.phrases["clock_charged"]


def _line(line: RateLine, wording: Wording, *, is_window: bool) -> str:
    costs = _costs(line, wording, is_window=is_window)
    start, to = line.from_minutes, line.to_minutes
    if not start and to is None:
        return costs
    if not start:
        reach = wording.say("up_to", to=wording.duration(to or 0))
    elif to is None:
        reach = wording.say("after", start=wording.duration(start))
    else:
        reach = wording.say("from_to", start=wording.duration(start), to=wording.duration(to))
    return f"{reach}{wording.phrases['colon']}{costs}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _costs(line: RateLine, wording: Wording, *, is_window: bool) -> str:
    amount = wording.amount(line.amount_minor)
    block = wording.block(line.block_minutes or 0)
    if line.kind == "free":
        return wording.phrases["free"]
    if line.kind == "increment":
        return wording.say("block", amount=amount, block=block)
    if line.kind == "per_second":
        return wording.say("second", amount=amount, block=wording.duration(line.block_minutes or 0))
    if line.from_minutes:
        return wording.say("flat_more", amount=amount)
    lasts = is_window and line.to_minutes is None
    return wording.say("flat_window" if lasts else "flat", amount=amount)


def _caps(table: RateTable, wording: Wording) -> Iterator[str]:
    for cap in table.caps:
        said = _cap(cap, wording)
        if cap.collection is not None:
            where = _when(table.collections[cap.collection], wording)
            said = wording.say("cap_where", cap=said, where=where)
        yield said


def _cap(cap: RateCap, wording: Wording) -> str:
    amount = wording.amount(cap.amount_minor)
    once = "_once" if cap.once else ""
    if cap.per == "calendar_day":
        return wording.say(f"cap_day{once}", amount=amount)
    if cap.minutes is None:
        return wording.say("cap_session", amount=amount)
    duration = wording.duration(cap.minutes)
    key = f"cap_rolling{once}" if cap.per == "rolling" else "cap_session_minutes"
    return wording.say(key, amount=amount, duration=duration)


def _packages(table: RateTable, wording: Wording) -> Iterator[str]:
    for package in table.packages:
        name = f"{package.name}{wording.phrases['colon']}" if package.name else ""
        yield f"{name}{_package(package, wording)}"


def _package(package: RatePackage, wording: Wording) -> str:
    later = ""
    if package.day_offset:
        key = "later_day" if package.day_offset == 1 else "later_days"
        later = wording.say(key, count=package.day_offset)
    return wording.say(
        "package",
        amount=wording.amount(package.amount_minor),
        days=wording.days(package.days),
        enter=wording.window(package.enter),
        exit=wording.window(package.exit),
        later=later,
    )


def _variant(table: RateTable, variant: RateVariant, wording: Wording, at: datetime) -> Section:
    """Return what is different for those whom the variant is for."""
    theirs = table.table_of(variant)
    lines: list[str] = []
    if variant.collections is not None:
        for part in _prices(theirs, wording, at):
            head = f"{part.heading}{wording.phrases['colon']}" if part.heading else ""
            lines += [f"{head}{line}" for line in part.lines]
    if variant.caps is not None:
        lines += [
            f"{wording.phrases['most']}{wording.phrases['colon']}{cap}"
            for cap in _caps(theirs, wording)
        ]
    if variant.packages is not None:
        lines += _packages(theirs, wording)
    plain = set(_terms(table, wording))
    lines += [term for term in _terms(theirs, wording) if term not in plain]
    if variant.collections is None and lines:
        lines.insert(0, wording.phrases["as_above"])
    return Section(wording.say("variant", who=wording.who(variant.eligibility)), tuple(lines))


def _allowances(table: RateTable, wording: Wording) -> Iterator[str]:
    for allowance in table.allowances:
        key = "allowance_day" if allowance.per == "calendar_day" else "allowance_stay"
        said = wording.say(
            key,
            duration=wording.duration(allowance.minutes),
            who=wording.who(allowance.eligibility),
        )
        yield f"{allowance.name}{wording.phrases['colon']}{said}"


def _validations(table: RateTable, wording: Wording) -> Iterator[str]:
    for validation in table.validations:
        yield f"{validation.name}{wording.phrases['colon']}{_validation(validation, wording)}"


def _validation(validation: RateValidation, wording: Wording) -> str:
    value = validation.value or 0
    return wording.say(
        f"validation_{validation.kind}",
        value=value,
        duration=wording.duration(value),
        amount=wording.amount(value),
    )


def _terms(table: RateTable, wording: Wording) -> Iterator[str]:
    if table.grace_minutes:
        yield wording.say("grace", duration=wording.duration(table.grace_minutes))
    if table.free_first_minutes:
        yield wording.say("free_first", duration=wording.duration(table.free_first_minutes))
    if table.ladder_reset == "calendar_day":
        yield wording.phrases["reset_day"]
    if table.ladder_minutes is not None:
        yield wording.say("reset_rolling", duration=wording.duration(table.ladder_minutes))
    if table.straddle == "continue":
        yield wording.phrases["straddle"]
    if table.reentry_merge_minutes:
        yield wording.say("reentry", duration=wording.duration(table.reentry_merge_minutes))
    if table.grace_after_payment_minutes:
        duration = wording.duration(table.grace_after_payment_minutes)
        yield wording.say("grace_after_payment", duration=duration)


def _examples(table: RateTable, wording: Wording, at: datetime) -> Iterator[WorkedExample]:
    monday = plain_monday(table, at)
    for key, weekday, entered, left in _EXAMPLES:
        entered_at, left_at = (
            instant_of(wall_seconds(table.zone, monday + weekday, minute))
            for minute in (entered, left)
        )
        total = price(table, entered_at, left_at).total
        words = wording.phrases[f"example.{key}"]
        yield WorkedExample(words, entered_at, left_at, total.amount_minor)
