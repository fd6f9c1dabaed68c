"""When the books agree, and what counts as passed."""

from dataclasses import replace

import pytest

from sesame.demo.director import Outcome, Round, agree
from sesame.demo.report import facts_line, money_line
from sesame.demo.scenarios.act import Act, ScenarioFailedError
from sesame.demo.witness import Books

EVEN = Books(receivable={}, held={"CNY": 65}, captured={"CNY": 65}, ledger_sum={"CNY": 0, "EUR": 0})
PASSED = Outcome("frozen_gate", "Gate", True, 1.5, 6, {"refused": "expired", "paid": "1 EUR"}, None)


@pytest.mark.parametrize(
    "books",
    [
        replace(EVEN, receivable={"CNY": 1}),
        replace(EVEN, held={"CNY": 64}),
        replace(EVEN, captured={"CNY": 65, "EUR": 1}),
        replace(EVEN, ledger_sum={"CNY": 1}),
    ],
)
def test_one_minor_unit_off_is_seen(books: Books) -> None:
    assert agree(EVEN)
    assert not agree(books)


def test_round_counts_only_what_it_moved() -> None:
    before = Books({"CNY": 500}, {"CNY": 100}, {"CNY": 100}, {"CNY": 0})
    after = Books({"CNY": 500}, {"CNY": 165}, {"CNY": 165}, {"CNY": 0})
    assert after.since(before) == Books({}, {"CNY": 65}, {"CNY": 65}, {"CNY": 0})


def test_round_passes_only_with_every_scenario_and_the_books() -> None:
    failed = replace(PASSED, passed=False, reason="no order rejected")
    assert Round((PASSED,), EVEN, 2.0).passed
    assert not Round((PASSED, failed), EVEN, 2.0).passed
    assert not Round((PASSED,), replace(EVEN, held={}), 2.0).passed


def test_lines_say_what_came_of_it() -> None:
    assert facts_line(PASSED) == "refused expired, paid 1 EUR"
    assert facts_line(replace(PASSED, reason="no order rejected")) == "no order rejected"
    assert money_line(EVEN) == "acquirer took 0.65 CNY; ledger says 0.65 CNY; still owed nothing"


def test_expectation_names_what_was_found_and_wanted() -> None:
    act = Act("bound_driver", lambda _name, _step: None)
    act.expect("pulses", 1, 1)
    with pytest.raises(ScenarioFailedError, match="pulses: expected 1, found 2"):
        act.expect("pulses", 2, 1)
    assert act.checks == 1
