"""`sesame schema`: the GraphQL schemas as text, and the JSON Schemas of the gate wire."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from api.schema import make_schema
from api.staff.schema import make_staff_schema
from gate_bridge.wire.schemas import schemas
from parking.kit.clock import SystemClock
from sesame import schema_release
from sesame.schema_changes import compare

SCHEMA_FILE: Final = Path("schema.graphql")
STAFF_SCHEMA_FILE: Final = Path("staff.graphql")
GATE_WIRE_FOLDER: Final = Path("docs/gate-wire")
RELEASED_FOLDER: Final = Path("docs/schema")


def schema_command(
    *,
    output: Annotated[
        Path | None,
        typer.Option(help="One file to write or compare: the drivers', or with --staff theirs."),
    ] = None,
    staff: Annotated[
        bool, typer.Option("--staff", help="The schema of /staff/graphql alone.")
    ] = False,
    gate_wire: Annotated[
        bool, typer.Option("--gate-wire", help="The JSON Schemas of the gate wire, in a folder.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Write nothing; fail if a file is not up to date, or if a change breaks clients "
            "of the last release.",
        ),
    ] = False,
    release: Annotated[
        str | None,
        typer.Option(
            "--release",
            metavar="VERSION",
            help="Keep both schemas in docs/schema as the release that later changes must not "
            "break, and write what is new into its changelog.",
        ),
    ] = None,
) -> None:
    """Write the schemas that client code is generated from, or check that they are up to date."""
    if gate_wire:
        _gate_wire(output or GATE_WIRE_FOLDER, check=check)
        return
    if output is not None:
        _one(output, staff_schema_text() if staff else schema_text(), staff=staff, check=check)
        return
    texts = {STAFF_SCHEMA_FILE: staff_schema_text()}
    if not staff:
        texts[SCHEMA_FILE] = schema_text()
    for path, text in texts.items():
        _one(path, text, staff=path == STAFF_SCHEMA_FILE, check=check)
    if release is not None:
        today = SystemClock().now().date()
        schema_release.write(RELEASED_FOLDER, texts, version=release, today=today)
    elif check:
        _refuse_breaks(texts)


def _one(path: Path, text: str, *, staff: bool, check: bool) -> None:
    if not check:
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        raise _outdated(path, "sesame schema --staff" if staff else "sesame schema")


def _refuse_breaks(texts: dict[Path, str], folder: Path = RELEASED_FOLDER) -> None:
    """Fail where a client of the last release would.

    Raises:
        typer.Exit: a change breaks it.
    """
    today = SystemClock().now().date()
    told: list[str] = []
    for path, text in texts.items():
        released = folder / path.name
        # Before the first release there is nobody to break.
        if released.exists():
            changes = compare(released.read_text(encoding="utf-8"), text, today=today)
            told += [
                f"{path}: breaks clients of the last release: {one}" for one in changes.breaking
            ]
    if told:
        told.append("Add and deprecate instead: docs/schema/README.md says how.")
        typer.secho("\n".join(told), err=True, fg="red")
        raise typer.Exit(1)


def gate_wire_files() -> dict[str, str]:
    """Return the files of the gate wire's schemas, by name; the same for the same code."""
    return {
        f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=True) + "\n"
        for name, schema in schemas().items()
    }


def _gate_wire(folder: Path, *, check: bool) -> None:
    files = gate_wire_files()
    there = {path.name: path for path in folder.glob("*.json")}
    if not check:
        folder.mkdir(parents=True, exist_ok=True)
        for name in there.keys() - files.keys():
            there[name].unlink()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return
    for name in sorted(there.keys() | files.keys()):
        if name not in there or there[name].read_text(encoding="utf-8") != files.get(name):
            raise _outdated(folder / name, "sesame schema --gate-wire")


def _outdated(path: Path, command: str) -> typer.Exit:
    told = f"{path}: expected the schema of the code; run `{command}`"
    typer.secho(told, err=True, fg="red")
    return typer.Exit(1)


def schema_text() -> str:
    """Return the text of the drivers' schema, the same for the same code."""
    return make_schema(development=False).as_str().strip() + "\n"


def staff_schema_text() -> str:
    """Return the text of the staff's schema, the same for the same code."""
    return make_staff_schema(development=False).as_str().strip() + "\n"
