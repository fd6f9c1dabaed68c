"""Which mandate is charged: the driver's order, what it is for, and every limit. Pure, no I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.kit.money import Money
from parking.payments.models import Mandate, MandateState
from parking.payments.port import ProviderTraits


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What is to be charged, and where.

    Attributes:
        timezone: In which the driver's limit of a day is counted: the place's, or the pass's.
        plate_index: The car that the money is for; None for a pass.
        is_waited_for: Whether somebody waits for the outcome, at a gate or at a screen: then only
            providers that settle at once are asked.
        has_antenna: Whether the car stands in a lane that can reach its device.
    """

    due: Money
    timezone: str
    plate_index: UUID | None = None
    is_waited_for: bool = True
    has_antenna: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """What was charged under one mandate in one currency in a day, failed charges aside."""

    amount_minor: int = 0
    charges: int = 0


@dataclass(frozen=True, slots=True)
class Days:
    """When the day began that a limit is counted in, aware, UTC."""

    driver: datetime
    provider: datetime


def usable_mandates(
    mandates: Iterable[Mandate], occasion: Occasion, traits: Mapping[str, ProviderTraits]
) -> list[Mandate]:
    """Return the mandates that may be charged, in the driver's order, limits of a day aside.

    Args:
        mandates: The driver's.
        occasion: What for.
        traits: Of the providers that this process was given, by name: others are passed over.
    """
    usable = (
        mandate
        for mandate in mandates
        if mandate.provider in traits and permits(mandate, occasion, traits[mandate.provider])
    )
    return sorted(usable, key=lambda mandate: (mandate.position, mandate.id))


def permits(mandate: Mandate, occasion: Occasion, traits: ProviderTraits) -> bool:
    """Return whether one charge of this kind is within what driver and provider allow."""
    return (
        mandate.state == MandateState.ACTIVE
        and mandate.confirmed_at is not None
        and mandate.agreement_reference is not None
        and _reaches(mandate, occasion, traits)
        and mandate.currency in {None, occasion.due.currency}
        and _within(occasion.due, mandate.amount_minor_max)
        and _within(occasion.due, traits.charge_minor_max)
        and _within(occasion.due, mandate.day_minor_max)
        and _within(occasion.due, traits.day_minor_max)
    )


def counts_days(mandate: Mandate, traits: ProviderTraits) -> bool:
    """Return whether any limit of a day applies, so that what was charged must be summed."""
    limits = (mandate.day_minor_max, traits.day_minor_max, traits.day_charges_max)
    return any(limit is not None for limit in limits)


def permits_today(
    mandate: Mandate, due: Money, traits: ProviderTraits, *, driver: Spent, provider: Spent
) -> bool:
    """Return whether the charge stays within the limits of the day.

    Args:
        mandate: Whose limits.
        due: What is to be charged.
        traits: Its provider's.
        driver: What was charged in the driver's day, in the currency of `due`.
        provider: The same of the provider's day.
    """
    return (
        _within(due, mandate.day_minor_max, driver.amount_minor)
        and _within(due, traits.day_minor_max, provider.amount_minor)
        and (traits.day_charges_max is None or provider.charges < traits.day_charges_max)
    )


def days_of(now: datetime, occasion: Occasion, traits: ProviderTraits) -> Days:
    """Return when today began, for the driver and for the provider."""
    return Days(day_start(now, occasion.timezone), day_start(now, traits.timezone))


def day_start(now: datetime, timezone: str) -> datetime:
    """Return the local midnight before `now`, in UTC."""
    midnight = now.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC)


def _reaches(mandate: Mandate, occasion: Occasion, traits: ProviderTraits) -> bool:
    # A plate's mandate pays for that car alone, and for no pass.
    is_scoped = mandate.plate_index is not None or traits.needs_plate
    return (
        (not is_scoped or mandate.plate_index == occasion.plate_index)
        and (not is_scoped or occasion.plate_index is not None)
        and (traits.settles_at_gate or not occasion.is_waited_for)
        and (not traits.needs_antenna or occasion.has_antenna)
        and (not traits.currencies or occasion.due.currency in traits.currencies)
    )


def _within(due: Money, limit_minor: int | None, before_minor: int = 0) -> bool:
    return limit_minor is None or before_minor + due.amount_minor <= limit_minor
