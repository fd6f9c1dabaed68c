"""Variants that nobody gets, or that change nothing."""

from collections.abc import Iterator
from itertools import product
from typing import Final, get_args

from parking.tariffs.lint.findings import Finding, Severity
from parking.tariffs.rate_table import RateTable
from parking.tariffs.rate_terms import VehicleClass
from parking.tariffs.rules import Circumstances, Vehicle

_CLASSES: Final[tuple[VehicleClass, ...]] = get_args(VehicleClass)
_EITHER: Final = (False, True)


def variant_findings(table: RateTable) -> Iterator[Finding]:
    """Yield the variants that no vehicle and no driver gets, and those that change nothing."""
    found = (table.variant_for(each) for each in _everybody(table))
    reached = {variant.name for variant in found if variant is not None}
    for index, variant in enumerate(table.variants):
        if variant.name not in reached:
            yield Finding(
                Severity.ERROR,
                "variant_unreachable",
                f"variants.{index}",
                f"nobody gets the variant {variant.name}: whomever it is for gets another one "
                "of a higher priority, or of the same and listed before",
            )
        elif not variant.overrides():
            yield Finding(
                Severity.WARNING,
                "variant_without_effect",
                f"variants.{index}",
                f"the variant {variant.name} changes nothing: it gives no field of its own",
            )


def _everybody(table: RateTable) -> Iterator[Circumstances]:
    """Yield every combination of what a variant can ask for."""
    merchants: set[str] = set()
    for variant in table.variants:
        merchants |= set(variant.eligibility.merchants or ())
    customers = [(), *((name,) for name in sorted(merchants))]
    for kind, ev, resident, holds, names in product(_CLASSES, _EITHER, _EITHER, _EITHER, customers):
        vehicle = Vehicle(vehicle_class=kind, is_ev=ev, is_resident=resident)
        yield Circumstances(vehicle=vehicle, has_pass=holds, merchants=names)
