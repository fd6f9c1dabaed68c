"""Keeping a release of the schemas, and telling what is new in it."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Final

from sesame.schema_changes import SchemaChanges, compare

CHANGELOG: Final = "CHANGELOG.md"
_TITLE: Final = "# What changed in the schemas\n"
_FIRST: Final = "The first release; nothing before it was promised."
_NOTHING: Final = "Nothing changed."


def write(folder: Path, texts: Mapping[Path, str], *, version: str, today: date) -> None:
    """Keep the schemas as the last release, and put what is new at the head of the changelog.

    Args:
        folder: Where releases are kept.
        texts: The schemas, by the path of their file.
        version: What the release is called.
        today: Its day; what was announced to be gone before it may be gone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entry = [f"## {version}, {today.isoformat()}", ""]
    for path, text in sorted(texts.items()):
        kept = folder / path.name
        entry += [f"### {path.name}", ""]
        if kept.exists():
            changes = compare(kept.read_text(encoding="utf-8"), text, today=today)
            entry += [*_told(changes), ""]
        else:
            entry += [_FIRST, ""]
        kept.write_text(text, encoding="utf-8")
    changelog = folder / CHANGELOG
    before = changelog.read_text(encoding="utf-8") if changelog.exists() else _TITLE
    older = before.removeprefix(_TITLE).strip("\n")
    parts = [_TITLE.strip(), "\n".join(entry).strip(), older]
    changelog.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def _told(changes: SchemaChanges) -> Iterator[str]:
    groups = (
        ("Breaking", changes.breaking),
        ("Gone as announced", changes.removed),
        ("Worth a look", changes.dangerous),
        ("New", [f"`{name}`" for name in changes.added]),
    )
    told = False
    for title, lines in groups:
        for line in lines:
            told = True
            yield f"- {title}: {line}"
    if not told:
        yield _NOTHING
