"""What the demo says at its end."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parking.flows.fleet.reading import Fleet
from parking.kit.money import Money
from sesame import gates_report
from sesame.demo.day_end import ComparedDay
from sesame.demo.director import Outcome, Round
from sesame.demo.providers import NAMES
from sesame.demo.witness import Books

# The sums of `sesame gates --json`: each lane by itself is asked there.
_GATES: Final = ("lanes_total", "lanes_with_problems", "states", "problems")


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The last round, and what came before it.

    Attributes:
        pictures: Where the cars' pictures came from.
        setup_s: From the command to the first car.
        fleet: How the lanes are after it, as `sesame gates` tells it.
    """

    data: str
    pictures: str
    urls: Mapping[str, str]
    setup_s: float
    rounds: int
    last: Round
    fleet: Fleet

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        gates = gates_report.report(self.fleet)
        return {
            "passed": self.last.passed,
            "data": self.data,
            "pictures": self.pictures,
            "urls": dict(self.urls),
            "setup_s": self.setup_s,
            "wall_s": self.last.wall_s,
            "rounds": self.rounds,
            "scenarios": [asdict(outcome) for outcome in self.last.outcomes],
            "books": {"agree": self.last.books_agree, **asdict(self.last.books)},
            "days": [asdict(day) for day in self.last.days],
            "gates": {name: gates[name] for name in _GATES},
        }

    def to_table(self, width: int) -> RenderableType:
        """Return it for a terminal of this many columns."""
        table = Table("", "scenario", "checks", "time", "what came of it", title="Sesame demo")
        for outcome in self.last.outcomes:
            table.add_row(*_row(outcome))
        table.add_row(
            mark(passed=self.last.books_agree),
            "The books agree",
            "",
            "",
            Text(money_line(self.last.books)),
        )
        table.add_row(
            mark(passed=self.last.days_agree),
            "The day is reconciled",
            "",
            "",
            Text("\n".join(map(day_line, self.last.days))),
        )
        times = f"Ready after {self.setup_s:.1f} s; the scenarios took {self.last.wall_s:.1f} s."
        gates = gates_report.show(self.fleet, width)
        return Group(table, Text(times), Text("\nThe gates, as `sesame gates` tells it:"), gates)


def day_line(day: ComparedDay) -> str:
    """Return what comparing a provider's day found."""
    found = [f"{count} {code}" for code, count in day.differences.items()] or ["all match"]
    if day.earlier:
        found.append(f"{day.earlier} open from before this round")
    rows = "1 row" if day.movements == 1 else f"{day.movements} rows"
    return f"{NAMES[day.provider]} {day.day}: {', '.join([rows, *found])}"


def mark(*, passed: bool) -> Text:
    """Return a tick or a cross."""
    return Text("✔", style="bold green") if passed else Text("✘", style="bold red")


def facts_line(outcome: Outcome) -> str:
    """Return what came of a scenario, or why it failed."""
    if outcome.reason is not None:
        return outcome.reason
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in outcome.facts.items())


def money_line(books: Books) -> str:
    """Return what each provider holds, and what the ledger says of it where that differs."""
    names = [name for name in NAMES if name in books.captured or name in books.held]
    lines = [_held_line(name, books) for name in names]
    return "\n".join([*lines, f"still owed: {_amounts(books.receivable)}"])


def _held_line(name: str, books: Books) -> str:
    captured, held = books.captured.get(name, {}), books.held.get(name, {})
    says = "as in the ledger" if captured == held else f"but {_amounts(held)} in the ledger"
    return f"{NAMES[name]} {_amounts(captured)}, {says}"


def _row(outcome: Outcome) -> tuple[Text, str, str, str, Text]:
    return (
        mark(passed=outcome.passed),
        outcome.title,
        str(outcome.checks),
        f"{outcome.wall_s:.1f} s",
        Text(facts_line(outcome)),
    )


def _amounts(by_currency: Mapping[str, int]) -> str:
    amounts = [Money(minor, currency).format() for currency, minor in sorted(by_currency.items())]
    return " + ".join(amounts) or "nothing"
