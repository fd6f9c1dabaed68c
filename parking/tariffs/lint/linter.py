"""Look at a rate table before anybody is charged by it: a pure function."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from parking.tariffs.lint.budget import Budget
from parking.tariffs.lint.caps import cap_findings
from parking.tariffs.lint.clocks import clock_findings
from parking.tariffs.lint.coverage import coverage_findings
from parking.tariffs.lint.findings import Finding, Severity
from parking.tariffs.lint.ladders import ladder_findings
from parking.tariffs.lint.packages import package_findings
from parking.tariffs.lint.rights import variant_findings
from parking.tariffs.lint.upkeep import holiday_findings, rounding_findings
from parking.tariffs.lint.week import tried_days
from parking.tariffs.rate_table import RateTable, RateVariant

FINDINGS_MAX: Final = 200
_ORDER: Final = tuple(Severity)


def lint(table: RateTable, at: datetime) -> tuple[Finding, ...]:
    """Return what the author of a rate table should know, the worst first.

    Args:
        table: The table, with all of its variants.
        at: From when on weeks, holidays and changes of the clocks are looked at; aware.
    """
    findings = [*_of_one(table, at), *variant_findings(table)]
    for index, variant in enumerate(table.variants):
        if variant.overrides():
            known = {(each.code, each.path, each.words) for each in findings}
            findings += [
                _of_variant(each, variant, index)
                for each in _of_one(table.table_of(variant), at)
                if (each.code, each.path, each.words) not in known
            ]
    findings.sort(key=lambda finding: _ORDER.index(finding.severity))
    return tuple(findings[:FINDINGS_MAX])


def _of_one(table: RateTable, at: datetime) -> Iterator[Finding]:
    days = tried_days(table, at)
    yield from coverage_findings(table, days)
    yield from ladder_findings(table, days)
    budget = Budget()
    yield from cap_findings(table, days, budget)
    yield from package_findings(table, days, budget)
    if budget.is_spent:
        yield Finding(
            Severity.NOTE,
            "not_all_tried",
            "",
            "the table has so many parts that not every stay of the week was tried",
        )
    yield from rounding_findings(table, days)
    yield from holiday_findings(table, at)
    yield from clock_findings(table, at)


def _of_variant(finding: Finding, variant: RateVariant, index: int) -> Finding:
    """Return the finding with its path in the whole table; what a variant inherits stands there."""
    own = finding.path.partition(".")[0]
    given = own in type(variant).model_fields and getattr(variant, own) is not None
    words = f"for the variant {variant.name}: {finding.words}"
    if given:
        return replace(finding, path=f"variants.{index}.{finding.path}", words=words)
    # What makes no sense for some vehicles may be just right for the others.
    return replace(finding, severity=Severity.NOTE, words=words)
