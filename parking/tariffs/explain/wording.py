"""Amounts, durations, days and people in the words of one language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from parking.kit.errors import InvalidInputError
from parking.kit.money import minor_digits
from parking.tariffs.explain.chinese import CHINESE
from parking.tariffs.explain.english import ENGLISH
from parking.tariffs.explain.german import GERMAN
from parking.tariffs.rate_table import Days, RateEligibility

LOCALES: Final[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH, "de": GERMAN, "zh": CHINESE}
_MINUTES_PER_HOUR: Final = 60
_MINUTES_PER_DAY: Final = 1440
# Below two days drivers count in hours: 24 hours are no calendar day.
_DAYS_FROM: Final = 2
_WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RUN_MIN: Final = 3


@dataclass(frozen=True, slots=True)
class Wording:
    """How one language says what tariffs are made of."""

    locale: str
    currency: str
    phrases: Mapping[str, str]

    @classmethod
    def of(cls, locale: str, currency: str) -> "Wording":
        """Return the wording of a language.

        Raises:
            InvalidInputError: there is none for `locale`.
        """
        phrases = LOCALES.get(locale)
        if phrases is None:
            raise InvalidInputError("locale", f"one of {', '.join(LOCALES)}")
        return cls(locale, currency, phrases)

    def say(self, key: str, **values: object) -> str:
        """Return a phrase with its values."""
        return self.phrases[key].format(**values)

    def amount(self, amount_minor: int) -> str:
        """Return an amount, such as `2,50 EUR`."""
        digits = minor_digits(self.currency)
        whole, part = divmod(amount_minor, 10**digits)
        text = f"{whole}{self.phrases['decimal_mark']}{part:0{digits}d}" if digits else str(whole)
        if self.locale == "zh" and self.currency == "CNY":
            # A price tag in China says 5元, not 5.00元.
            return f"{text.removesuffix('.00')}元"
        return f"{text} {self.currency}"

    def duration(self, minutes: int) -> str:
        """Return a length of time, such as `1 hour 30 minutes`."""
        days, rest = divmod(minutes, _MINUTES_PER_DAY)
        if not rest and days >= _DAYS_FROM:
            return self.say("days_long", count=days)
        hours, rest = divmod(minutes, _MINUTES_PER_HOUR)
        parts = [self.say("hour" if hours == 1 else "hours", count=hours)] if hours else []
        if rest or not hours:
            parts.append(self.say("minute" if rest == 1 else "minutes", count=rest))
        return self.phrases["duration_mark"].join(parts)

    def block(self, minutes: int) -> str:
        """Return a length of time as the unit of a price, such as `hour` in `a started hour`."""
        if minutes == _MINUTES_PER_HOUR:
            return self.phrases["one_hour"]
        return self.phrases["one_minute"] if minutes == 1 else self.duration(minutes)

    def days(self, days: Days | None) -> str:
        """Return the days, runs of three and more as a range."""
        if days is None:
            return self.phrases["every_day"]
        weekdays = [day for day in _WEEK if day in days]
        if len(weekdays) == len(_WEEK):
            return self.phrases["every_day"]
        kinds = [self.phrases[f"day.{day}"] for day in days if day not in _WEEK]
        is_run = len(weekdays) >= _RUN_MIN and "".join(weekdays) in "".join(_WEEK)
        if is_run:
            first, last = (self.phrases[f"day.{day}"] for day in (weekdays[0], weekdays[-1]))
            return self.joined([f"{first}{self.phrases['range_mark']}{last}", *kinds])
        return self.joined([*(self.phrases[f"day.{day}"] for day in weekdays), *kinds])

    def weekday(self, number: int) -> str:
        """Return the name of a day of the week, Monday being 0."""
        return self.phrases[f"day.{_WEEK[number]}"]

    def window(self, window: tuple[str, str]) -> str:
        """Return the hours of a window."""
        if window == ("00:00", "24:00"):
            return self.phrases["around_the_clock"]
        return "–".join(window)

    def who(self, eligibility: RateEligibility) -> str:
        """Return whom something is for."""
        said: list[str] = []
        if eligibility.vehicle_classes is not None:
            names = [self.phrases[f"who.{kind}"] for kind in eligibility.vehicle_classes]
            said.append(self.joined(names))
        for name, asked in (
            ("ev", eligibility.ev),
            ("resident", eligibility.resident),
            ("pass", eligibility.pass_holder),
        ):
            if asked is not None:
                said.append(self.phrases[f"who.{name}" if asked else f"who.not_{name}"])
        if eligibility.merchants is not None:
            said.append(self.say("who.merchant", names=self.joined(eligibility.merchants)))
        return self.phrases["who_and"].join(said) or self.phrases["who.everybody"]

    def joined(self, parts: Sequence[str]) -> str:
        """Return the parts as a list in a sentence."""
        if len(parts) <= 1:
            return "".join(parts)
        return f"{self.phrases['list_mark'].join(parts[:-1])}{self.phrases['last_mark']}{parts[-1]}"
