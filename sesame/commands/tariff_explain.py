"""`sesame tariff explain`: a rate table in plain words."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from parking.kit.clock import SystemClock
from parking.tariffs.document import select_table
from parking.tariffs.explain.explainer import Explanation, WorkedExample, explain
from parking.tariffs.explain.wording import Wording
from parking.tariffs.rules import RateTable
from sesame.commands.tariff_file import instant_of, local_text, read_document


def explain_command(
    table: Annotated[
        Path, typer.Option("--table", help="JSON file: one rate table, or a list of them.")
    ],
    table_id: Annotated[
        str | None, typer.Option("--id", help="Which rate table of a list of them.")
    ] = None,
    locale: Annotated[str, typer.Option(help="The language: en, de or zh.")] = "en",
    at: Annotated[
        str | None, typer.Option(help="From when on the examples' week is looked for.")
    ] = None,
    *,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell a rate table in words, with what some stays cost."""
    rate_table = select_table(read_document(table), table_id).read()
    since = SystemClock().now() if at is None else instant_of(at, ZoneInfo("UTC"), "at")
    explanation = explain(rate_table, since, locale=locale)
    if json_output:
        typer.echo(json.dumps(_report(explanation, rate_table), ensure_ascii=False, indent=2))
        return
    console = Console(soft_wrap=True)
    for line, style in _lines(explanation, rate_table):
        console.print(Text(line, style=style))


def _report(explanation: Explanation, table: RateTable) -> dict[str, Any]:
    return {
        "locale": explanation.locale,
        "currency": table.currency,
        "text": "\n".join(line for line, _ in _lines(explanation, table)),
        "sections": [
            {"heading": section.heading, "lines": list(section.lines)}
            for section in explanation.sections
        ],
        "examples": [
            {
                "words": example.words,
                "entry": local_text(example.entered_at, table.zone),
                "exit": local_text(example.left_at, table.zone),
                "amount_minor": example.amount_minor,
            }
            for example in explanation.examples
        ],
    }


def _lines(explanation: Explanation, table: RateTable) -> Iterator[tuple[str, str]]:
    """Yield the lines that people read, each with its style."""
    if table.name:
        yield table.name, "bold"
    for section in explanation.sections:
        if section.heading:
            yield section.heading, "bold"
        for line in section.lines:
            yield f"  {line}", ""
    wording = Wording.of(explanation.locale, table.currency)
    for example in explanation.examples:
        yield _example(example, wording, table.zone), ""


def _example(example: WorkedExample, wording: Wording, zone: ZoneInfo) -> str:
    moments = (example.entered_at, example.left_at)
    entered, left = (_shown(moment, wording, zone) for moment in moments)
    return f"{example.words} ({entered} - {left}): {wording.amount(example.amount_minor)}"


def _shown(moment: datetime, wording: Wording, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{wording.weekday(local.weekday())} {local:%H:%M}"
