"""`sesame schema`: the GraphQL schemas as text, and the JSON Schemas of the gate wire."""

import json
from pathlib import Path
from typing import Annotated

import typer

from api.schema import make_schema
from api.staff.schema import make_staff_schema
from gate_bridge.wire.schemas import schemas

SCHEMA_FILE = Path("schema.graphql")
STAFF_SCHEMA_FILE = Path("staff.graphql")
GATE_WIRE_FOLDER = Path("docs/gate-wire")


def schema_command(
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The file to write or compare; schema.graphql, or staff.graphql with --staff."
        ),
    ] = None,
    staff: Annotated[
        bool, typer.Option("--staff", help="The schema of /staff/graphql instead of the drivers'.")
    ] = False,
    gate_wire: Annotated[
        bool, typer.Option("--gate-wire", help="The JSON Schemas of the gate wire, in a folder.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the file is not up to date.")
    ] = False,
) -> None:
    """Write the schema that client code is generated from, or check that it is up to date."""
    if gate_wire:
        _gate_wire(output or GATE_WIRE_FOLDER, check=check)
        return
    text = staff_schema_text() if staff else schema_text()
    output = output or (STAFF_SCHEMA_FILE if staff else SCHEMA_FILE)
    if not check:
        output.write_text(text, encoding="utf-8")
        return
    if not output.exists() or output.read_text(encoding="utf-8") != text:
        raise _outdated(output, "sesame schema --staff" if staff else "sesame schema")


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
