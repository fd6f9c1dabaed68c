"""A tariff as data: the model of a rate table, checked before anything is priced by it."""

from collections.abc import Sequence
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from parking.tariffs.circumstances import Circumstances
from parking.tariffs.model_part import Part, items, misfit, validated
from parking.tariffs.rate_line import RateLine, RateLineCollection
from parking.tariffs.rate_rights import RateAllowance, RateEligibility, RateValidation
from parking.tariffs.rate_terms import (
    AMOUNT_MINOR_MAX,
    MINUTES_PER_DAY,
    STAY_DAYS_MAX,
    AmountMinor,
    CurrencyCode,
    Days,
    GivenName,
    LocalDate,
    Minutes,
    MinutesFromZero,
    Name,
    Window,
    ZoneName,
    minute_of_day,
)

__all__ = [
    "AMOUNT_MINOR_MAX",
    "MINUTES_PER_DAY",
    "STAY_DAYS_MAX",
    "Days",
    "RateAllowance",
    "RateCap",
    "RateEligibility",
    "RateLine",
    "RateLineCollection",
    "RatePackage",
    "RateTable",
    "RateValidation",
    "RateVariant",
    "Window",
    "minute_of_day",
    "read_rate_table",
]

_COLLECTIONS_MAX: Final = 64
_CAPS_MAX: Final = 16
_PACKAGES_MAX: Final = 32
_HOLIDAYS_MAX: Final = 2000
_PACKAGE_DAYS_MAX: Final = 31
_VARIANTS_MAX: Final = 16
_ALLOWANCES_MAX: Final = 8
_VALIDATIONS_MAX: Final = 64
_PRIORITY_MAX: Final = 1000
_VERSION_MAX: Final = 1_000_000_000
GRACE_AFTER_PAYMENT_MINUTES: Final = 15


class RateCap(Part):
    """The most that the blocks starting in one period cost together.

    With `collection` only its blocks count, and a period begins with the first of them; with
    `minutes` it is so long, whatever `per` says.
    """

    per: Literal["rolling", "calendar_day", "session"]
    minutes: Minutes | None = None
    amount_minor: AmountMinor = Field(alias="amount")
    once: bool = False
    collection: Annotated[int, Field(ge=0, le=_COLLECTIONS_MAX)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.per == "rolling" and self.minutes is None:
            raise misfit("`minutes` for a rolling cap", "minutes")
        if self.per != "rolling" and self.minutes is not None and self.collection is None:
            raise misfit(f"no `minutes` for a {self.per} cap without `collection`", "minutes")
        return self


class RatePackage(Part):
    """A price for the whole stay when it enters and leaves in the given local windows."""

    name: Name = ""
    days: Days | None = None
    enter: Window
    exit: Window
    day_offset: Annotated[int, Field(ge=0, le=_PACKAGE_DAYS_MAX)] = 0
    amount_minor: AmountMinor = Field(alias="amount")


_Tick = Literal["second", "minute"]
_LadderReset = Literal["session", "rolling", "calendar_day"]
_Straddle = Literal["restart", "continue"]
_Collections = Annotated[
    tuple[RateLineCollection, ...],
    items(least=1, most=_COLLECTIONS_MAX),
]
_Caps = Annotated[tuple[RateCap, ...], items(most=_CAPS_MAX)]
_Packages = Annotated[tuple[RatePackage, ...], items(most=_PACKAGES_MAX)]


class RateVariant(Part):
    """What the table is for those whom `eligibility` fits; what is not given is the table's.

    `ladder_reset` and `ladder_minutes` are given together or not at all.
    """

    name: GivenName
    eligibility: RateEligibility
    priority: Annotated[int, Field(ge=-_PRIORITY_MAX, le=_PRIORITY_MAX)] = 0
    tick: _Tick | None = None
    grace_minutes: MinutesFromZero | None = Field(default=None, alias="grace")
    free_first_minutes: MinutesFromZero | None = Field(default=None, alias="free_first")
    ladder_reset: _LadderReset | None = None
    ladder_minutes: Minutes | None = None
    straddle: _Straddle | None = None
    collections: _Collections | None = None
    caps: _Caps | None = None
    packages: _Packages | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_ladder(self.ladder_reset, self.ladder_minutes)
        return self

    def overrides(self) -> dict[str, Any]:
        """Return the fields of the table that are others here."""
        own = {"name", "eligibility", "priority"}
        given = {name: getattr(self, name) for name in type(self).model_fields if name not in own}
        changed = {name: value for name, value in given.items() if value is not None}
        if self.ladder_reset is not None:
            changed["ladder_minutes"] = self.ladder_minutes
        return changed


class RateTable(Part):
    """One version of a tariff; amounts in the currency's minor units, times in minutes.

    Attributes:
        reentry_merge_minutes: A stay that begins at most so long after another of the vehicle
            continues it; 0 for never.
        grace_after_payment_minutes: How long a stay that was paid in advance stays paid.
        straddle: restart: a block ends with its window, and the next window begins a new one.
            continue: it runs to its end at the price of the window in which it began.
        variants: They exclude one another: of those that fit, the one with the highest priority
            counts, of equals the first; this table itself where none fits.
        allowances: They combine, with one another and with validations.
        validations: What coupons that name them take off; they combine.
    """

    timezone: ZoneName
    currency: CurrencyCode
    name: Name = ""
    version: Annotated[int, Field(ge=1, le=_VERSION_MAX)] | None = None
    tick: _Tick = "second"
    grace_minutes: MinutesFromZero = Field(default=0, alias="grace")
    free_first_minutes: MinutesFromZero = Field(default=0, alias="free_first")
    reentry_merge_minutes: MinutesFromZero = Field(default=0, alias="reentry_merge")
    grace_after_payment_minutes: MinutesFromZero = Field(
        default=GRACE_AFTER_PAYMENT_MINUTES, alias="grace_after_payment"
    )
    ladder_reset: _LadderReset = "session"
    ladder_minutes: Minutes | None = None
    straddle: _Straddle = "restart"
    holidays: Annotated[
        tuple[LocalDate, ...],
        items(most=_HOLIDAYS_MAX),
    ] = ()
    collections: _Collections
    caps: _Caps = ()
    packages: _Packages = ()
    variants: Annotated[tuple[RateVariant, ...], items(most=_VARIANTS_MAX)] = ()
    allowances: Annotated[tuple[RateAllowance, ...], items(most=_ALLOWANCES_MAX)] = ()
    validations: Annotated[tuple[RateValidation, ...], items(most=_VALIDATIONS_MAX)] = ()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the windows and calendar days."""
        return ZoneInfo(self.timezone)

    @cached_property
    def holiday_ordinals(self) -> frozenset[int]:
        """The holidays as proleptic Gregorian ordinals."""
        return frozenset(date.fromisoformat(text).toordinal() for text in self.holidays)

    @cached_property
    def day_cache(self) -> dict[int, Any]:
        """What `schedule` keeps of local days, by their ordinals."""
        return {}

    def variant_for(self, circumstances: Circumstances) -> RateVariant | None:
        """Return the variant that counts; None for the table itself."""
        for variant in self._variants_in_order:
            if variant.eligibility.fits(circumstances):
                return variant
        return None

    def table_of(self, variant: RateVariant | None) -> "RateTable":
        """Return the table that counts for those whom the variant fits."""
        return self if variant is None else self._tables_by_variant[variant.name]

    def validation(self, name: str) -> RateValidation | None:
        """Return the validation of that name; None if the table has none."""
        return next((each for each in self.validations if each.name == name), None)

    @cached_property
    def _variants_in_order(self) -> list[RateVariant]:
        return sorted(self.variants, key=lambda variant: -variant.priority)

    @cached_property
    def _tables_by_variant(self) -> "dict[str, RateTable]":
        fields = {name: getattr(self, name) for name in RateTable.model_fields}
        fields["variants"] = ()
        return {each.name: RateTable(**fields | each.overrides()) for each in self.variants}

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_ladder(self.ladder_reset, self.ladder_minutes)
        _check_caps(self.caps, len(self.collections))
        for index, variant in enumerate(self.variants):
            collections = variant.collections or self.collections
            if variant.caps is not None:
                _check_caps(variant.caps, len(collections), "variants", index)
            elif any((cap.collection or 0) >= len(collections) for cap in self.caps):
                expected = "every collection that the table's `caps` name, or `caps` of its own"
                raise misfit(expected, "variants", index, "collections")
        for field in ("variants", "allowances", "validations"):
            _check_names(field, [part.name for part in getattr(self, field)])
        return self


def read_rate_table(data: object) -> RateTable:
    """Return the rate table that the JSON value `data` describes.

    Raises:
        InvalidInputError: names the path of the first field that does not fit.
    """
    return validated(RateTable, data, "rate_table")


def _check_ladder(reset: _LadderReset | None, minutes: int | None) -> None:
    if (minutes is not None) != (reset == "rolling"):
        raise misfit(
            "`ladder_minutes` with ladder_reset rolling, and only with it", "ladder_minutes"
        )


def _check_caps(caps: Sequence[RateCap], collection_count: int, *path: str | int) -> None:
    for index, cap in enumerate(caps):
        if cap.collection is not None and cap.collection >= collection_count:
            raise misfit("the index of a collection", *path, "caps", index, "collection")


def _check_names(field: str, names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise misfit("a name that no other of them has", field, index, "name")
