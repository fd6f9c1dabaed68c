"""What the tariff bench measures over, and what it reports."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parking.kit.errors import InvalidInputError
from parking.tariffs.rules import read_rate_table
from sesame.bench import tariff_tables
from sesame.bench.tariff_tables import BUILT_IN, tables_to_measure
from sesame.cli import app


def test_the_tables_built_in_are_measured_where_no_published_ones_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tariff_tables, "PUBLISHED", tmp_path / "none.json")
    source, tables = tables_to_measure(None)
    assert (source, set(tables)) == ("built in", set(BUILT_IN))
    for data in tables.values():
        read_rate_table(data)


def test_quotes_are_reported_with_their_raw_limit_and_parsing_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "tables.json"
    file.write_text(json.dumps([{"id": "garage", "rate_table": BUILT_IN["garage"]}]))
    result = CliRunner().invoke(
        app, ["bench", "tariff", "--json", "--open-stays", "0", "--tables", str(file)]
    )
    assert result.exit_code == 0
    report: dict[str, Any] = json.loads(result.stdout)
    assert report["tables"] == {"source": "tables.json", "count": 1}
    assert (report["is_right"], report["open_stays"]) == (True, None)
    assert (report["one_day"]["target_p50_us"], report["thirty_days"]["target_p50_us"]) == (
        150.0,
        2000.0,
    )
    for part in ("one_day", "thirty_days"):
        figures = report[part]
        assert list(figures["p50_by_table_us"]) == ["garage"]
        assert figures["quote_us"]["max"] >= figures["quote_us"]["p99"] > 0
        assert figures["quote_processor_us"]["p99"] > 0
        ratio = figures["quote_us"]["p50"] / figures["raw_us"]["p50"]
        assert figures["times_raw_limit"] == pytest.approx(ratio, abs=0.01)
    assert report["parse_us"]["p50"] > 0


@pytest.mark.parametrize("content", ["{}", "[7]", '[{"id": "a"}]', "[" * 50_000])
def test_a_file_without_tables_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tables.json"
    file.write_text(content)
    with pytest.raises(InvalidInputError) as caught:
        tables_to_measure(file)
    assert caught.value.field == "tables"
