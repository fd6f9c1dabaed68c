"""Lint on random tables: it always ends, tells true prices, and blames only packages."""

from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import given, settings

from parking.tariffs.lint.linter import FINDINGS_MAX, lint
from parking.tariffs.rules import price
from tests.unit.tariffs.own_tables import parsed
from tests.unit.tariffs.strategies import rate_tables

AT: Final = datetime(2025, 3, 1, tzinfo=UTC)


@given(rate_tables(with_packages=True))
@settings(max_examples=8)
def test_every_finding_is_true(data: dict[str, Any]) -> None:
    rate_table = parsed(data)
    findings = lint(rate_table, AT)
    assert len(findings) <= FINDINGS_MAX
    plain = rate_table.model_copy(update={"packages": ()})
    for finding in findings:
        assert finding.code != "longer_costs_less" or finding.path.startswith("packages.")
        for stay in finding.stays:
            priced = price(rate_table, stay.entered_at, stay.left_at).total.amount_minor
            assert priced == stay.amount_minor
        if finding.code == "week_gap":
            (stay,) = finding.stays
            assert price(plain, stay.entered_at, stay.left_at).total.amount_minor == 0
        if finding.code == "longer_costs_less":
            shorter, longer = finding.stays
            assert shorter.left_at < longer.left_at
            assert shorter.amount_minor > longer.amount_minor
