from pathlib import Path

from parking.reconciliation.codes import Code

PAGE = Path(__file__).parents[3] / "docs/reconciliation.md"


def test_the_page_has_every_code_as_the_program_words_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for code in Code:
        assert f"| `{code}` | {code.words.meaning} | {code.words.advice} |" in text
