"""A change that breaks an app in the field is found, and a release says what it brings."""

from datetime import date
from pathlib import Path
from typing import Final

import pytest
import typer

from sesame import schema_release
from sesame.commands.schema import schema_command, schema_text, staff_schema_text
from sesame.schema_changes import SchemaChanges, compare

TODAY: Final = date(2026, 11, 23)
BEFORE: Final = """
type Query { stay(id: ID!): Stay, old: Int @deprecated(reason: "Use `stay`. Gone after 2026-11-22.") }
type Stay { plate: String!, state: State!, due: Int }
enum State { IN OUT OLD @deprecated(reason: "Use `OUT`. Gone after 2026-11-22.") }
input Ask { plate: String }
type Mutation { ask(input: Ask!): Stay }
"""  # noqa: E501


def changed(*replacements: tuple[str, str]) -> SchemaChanges:
    text = BEFORE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return compare(BEFORE, text, today=TODAY)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("plate: String!, state", "state", "Field Stay.plate was removed."),
        ("due: Int }", "due: String }", "Field Stay.due changed type from Int to String."),
        (
            "plate: String!",
            "plate: String",
            "Field Stay.plate changed type from String! to String.",
        ),
        (
            "stay(id: ID!)",
            "stay(id: ID!, at: ID!)",
            "A required argument Query.stay(at:) was added.",
        ),
        (
            "plate: String }",
            "plate: String, why: String! }",
            "A required field Ask.why was added.",
        ),
        ("enum State { IN", "enum State {", "Enum value State.IN was removed."),
    ],
)
def test_what_breaks_a_client_is_found(old: str, new: str, told: str) -> None:
    assert changed((old, new)).breaking == [told]


def test_what_is_added_breaks_nobody() -> None:
    found = changed(("due: Int }", "due: Int, paid: Int }"), ("{ IN OUT", "{ IN PARKED OUT"))
    assert found == SchemaChanges(
        breaking=[],
        dangerous=["Enum value State.PARKED was added."],
        added=["State.PARKED", "Stay.paid"],
        removed=[],
    )


def test_what_was_announced_may_go_the_day_after() -> None:
    field = ', old: Int @deprecated(reason: "Use `stay`. Gone after 2026-11-22.")'
    value = ' OLD @deprecated(reason: "Use `OUT`. Gone after 2026-11-22.")'
    found = changed((field, ""), (value, ""))
    assert (found.breaking, found.removed) == (
        [],
        ["Enum value State.OLD was removed.", "Field Query.old was removed."],
    )
    text = BEFORE.replace(field, "")
    on_its_last_day = compare(BEFORE, text, today=date(2026, 11, 22))
    assert on_its_last_day.breaking == ["Field Query.old was removed."]


def test_a_release_is_kept_and_told(tmp_path: Path) -> None:
    path = Path("schema.graphql")
    schema_release.write(tmp_path, {path: BEFORE}, version="0.1.0", today=TODAY)
    assert (tmp_path / path).read_text(encoding="utf-8") == BEFORE
    after = BEFORE.replace("due: Int }", "paid: Int }")
    schema_release.write(tmp_path, {path: after}, version="0.2.0", today=date(2026, 12, 1))
    assert (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() == [
        "# What changed in the schemas",
        "",
        "## 0.2.0, 2026-12-01",
        "",
        "### schema.graphql",
        "",
        "- Breaking: Field Stay.due was removed.",
        "- New: `Stay.paid`",
        "",
        "## 0.1.0, 2026-11-23",
        "",
        "### schema.graphql",
        "",
        "The first release; nothing before it was promised.",
    ]


def test_the_check_refuses_a_break_of_either_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    schema_command()
    schema_command(check=True)
    schema_command(release="0.1.0")
    schema_command(check=True)
    for name, text in (("schema", schema_text()), ("staff", staff_schema_text())):
        assert Path(f"{name}.graphql").read_text(encoding="utf-8") == text
        released = Path(f"docs/schema/{name}.graphql")
        assert released.read_text(encoding="utf-8") == text
        root = "type Query {" if name == "schema" else "type StaffQuery {"
        assert root in text
        released.write_text(text.replace(root, f"{root}\n  gone: Int"), encoding="utf-8")
        with pytest.raises(typer.Exit) as ended:
            schema_command(check=True)
        assert ended.value.exit_code == 1
        lost = f"Field {root.split()[1]}.gone was removed."
        assert capsys.readouterr().err.splitlines() == [
            f"{name}.graphql: breaks clients of the last release: {lost}",
            "Add and deprecate instead: docs/schema/README.md says how.",
        ]
        released.write_text(text, encoding="utf-8")
    Path("staff.graphql").write_text("type Query { old: Int }\n", encoding="utf-8")
    with pytest.raises(typer.Exit):
        schema_command(check=True)
    assert capsys.readouterr().err == (
        "staff.graphql: expected the schema of the code; run `sesame schema --staff`\n"
    )
