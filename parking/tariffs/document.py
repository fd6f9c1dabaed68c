"""Rate tables in a JSON document: one of them, or a list, each alone or beside its id."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast

from parking.kit.errors import InvalidInputError
from parking.tariffs.rate_table import RateTable, read_rate_table

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
TABLES_MAX: Final = 500
IDS_SHOWN_MAX: Final = 30
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
    try:
        parse = Decimal if has_fractions else float
        return json.loads(content, object_pairs_hook=_unique, parse_float=parse)
    except (RecursionError, ValueError) as error:
        raise InvalidInputError(name, f"JSON ({error})") from error


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
        if table_id is not None:
            raise InvalidInputError("id", "no value: the file is not a list of rate tables")
        return _named(document, "")
    entries = [
        (str(index), cast("Mapping[str, object]", entry))
        for index, entry in enumerate(cast("list[object]", document))
        if isinstance(entry, Mapping)
    ]
    for path, entry in entries:
        if table_id is not None and entry.get("id") == table_id:
            return _named(entry, path)
    known = ", ".join(str(entry.get("id")) for _, entry in entries[:IDS_SHOWN_MAX])
    raise InvalidInputError("id", f"one of {known or 'the ids in the file, which has none'}")


def _named(entry: object, path: str) -> NamedTable:
    """Return the table itself where it stands beside its id, source and worked stays."""
    if not isinstance(entry, Mapping):
        return NamedTable("", path, entry)
    fields = cast("Mapping[str, object]", entry)
    name = fields.get("id")
    shown = name if isinstance(name, str) else ""
    if _MODEL not in fields:
        return NamedTable(shown, path, _without_id(fields) if path else fields)
    return NamedTable(shown, f"{path}.{_MODEL}".lstrip("."), fields[_MODEL])


def _without_id(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name != "id"}


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object; a name that comes twice would silently lose one of its values."""
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the name {name!r} comes twice in one object")
        result[name] = value
    return result
