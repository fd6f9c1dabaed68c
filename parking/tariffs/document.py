"""Rate tables in a JSON document: one of them, or a list, each alone or beside its id."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast

from parking.kit.errors import InvalidInputError
from parking.tariffs.model_part import path_step
from parking.tariffs.rate_table import RateTable, read_rate_table

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
TABLES_MAX: Final = 500
IDS_SHOWN_MAX: Final = 30
_INTEGER_CHARACTERS_MAX: Final = 4300
_MODEL = "rate_table"


@dataclass(frozen=True, slots=True)
class NamedTable:
    """A rate table as it stands in a document, not yet checked.

    Attributes:
        id: Its name in a list; empty without one.
        path: Where it stands in the document; empty for the document itself.
        body: The JSON value.
    """

    id: str
    path: str
    body: object

    def read(self) -> RateTable:
        """Return the checked table.

        Raises:
            InvalidInputError: names the path in the document of the first field that is wrong.
        """
        try:
            return read_rate_table(self.body)
        except InvalidInputError as error:
            # A table that is the whole document keeps the model's own name in front.
            inside = error.field.removeprefix(_MODEL).lstrip(".")
            path = self.path_of(inside) if self.path else error.field
            raise InvalidInputError(path, error.expected) from error

    def path_of(self, field: str) -> str:
        """Return where a field of the table, such as `grace`, stands in the document."""
        return ".".join(part for part in (self.path, field) if part)


def parse_document(content: bytes, *, name: str, has_fractions: bool = False) -> object:
    """Return the JSON value of a document called `name` in what is wrong with it.

    Args:
        content: The document.
        name: What a refusal calls it.
        has_fractions: Read fractions as `Decimal`, digit by digit; ours have none.

    Raises:
        InvalidInputError: it is too large, no JSON, nested too deeply, or names a field twice.
    """
    if len(content) > DOCUMENT_BYTES_MAX:
        raise InvalidInputError(name, f"a file of at most {DOCUMENT_BYTES_MAX} bytes")
    parse = Decimal if has_fractions else float
    repeated: list[dict[str, Any]] = []

    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        # A name that comes twice would silently lose one of its values.
        result = dict(pairs)
        if len(result) == len(pairs):
            return result
        repeated.append(_Repeated(pairs))
        return repeated[-1]

    def integer(digits: str) -> object:
        # What is too long for Python is left to the model, which refuses it by its path.
        return int(digits) if len(digits) <= _INTEGER_CHARACTERS_MAX else parse(digits)

    try:
        document = json.loads(
            content, object_pairs_hook=unique, parse_float=parse, parse_int=integer
        )
    except (RecursionError, ValueError) as error:
        raise InvalidInputError(name, f"JSON ({error})") from error
    if repeated:
        expected = "one value: the name comes twice in one object"
        raise InvalidInputError(_path_of_repeated(document), expected)
    return document


def tables_in(document: object) -> list[NamedTable]:
    """Return every rate table of a document.

    Raises:
        InvalidInputError: it is a list without any, or of more than TABLES_MAX.
    """
    if not isinstance(document, list):
        return [_named(document, "")]
    entries = cast("list[object]", document)
    if not 1 <= len(entries) <= TABLES_MAX:
        raise InvalidInputError("table", f"a list of 1 to {TABLES_MAX} rate tables")
    return [_named(entry, str(index)) for index, entry in enumerate(entries)]


def select_table(document: object, table_id: str | None) -> NamedTable:
    """Return the rate table called `table_id`; without one the document must hold just one.

    Raises:
        InvalidInputError: there is no such table, or it is not said which of a list.
    """
    if not isinstance(document, list):
        table = _named(document, "")
        if table_id not in {None, table.id}:
            known = f"{path_step(table.id)} or no value" if table.id else "no value"
            raise InvalidInputError("id", f"{known}: the file is not a list of rate tables")
        return table
    entries = cast("list[object]", document)
    tables = [_named(entry, str(index)) for index, entry in enumerate(entries)]
    if table_id is None and len(tables) == 1:
        return tables[0]
    named = [table for table in tables if table.id and table.id == table_id]
    if len(named) > 1:
        raise InvalidInputError("id", f"an id that one table has: {_paths(named)} have this one")
    if named:
        return named[0]
    known = ", ".join([path_step(table.id) for table in tables if table.id][:IDS_SHOWN_MAX])
    raise InvalidInputError("id", f"one of {known or 'the ids in the file, which has none'}")


def _paths(tables: Sequence[NamedTable]) -> str:
    return ", ".join(table.path for table in tables[:IDS_SHOWN_MAX])


def _named(entry: object, path: str) -> NamedTable:
    """Return the table itself where it stands beside its id, source and worked stays."""
    if not isinstance(entry, Mapping):
        return NamedTable("", path, entry)
    fields = cast("Mapping[str, object]", entry)
    name = fields.get("id")
    shown = name if isinstance(name, str) else ""
    if _MODEL not in fields:
        return NamedTable(shown, path, _without_id(fields))
    return NamedTable(shown, f"{path}.{_MODEL}".lstrip("."), fields[_MODEL])


def _without_id(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name != "id"}


class _Repeated(dict[str, Any]):
    """An object in which the name `twice` comes twice."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen = set[str]()
        self.twice = next(name for name, _ in pairs if name in seen or seen.add(name))


def _path_of_repeated(document: object) -> str:
    """Return where in the document a name comes twice; empty if it does nowhere."""
    waiting: list[tuple[str, object]] = [("", document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Repeated):
            return _joined(path, value.twice)
        if isinstance(value, dict):
            parts = cast("Mapping[str, object]", value).items()
        else:
            parts = enumerate(cast("list[object]", value))
        waiting += [
            (_joined(path, step), part) for step, part in parts if isinstance(part, dict | list)
        ]
    return ""


def _joined(path: str, step: str | int) -> str:
    return f"{path}.{path_step(step)}".lstrip(".")
