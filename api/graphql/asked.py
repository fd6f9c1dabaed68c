"""What a client asks for, over HTTP and over a socket alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from api.graphql.refused import RequestRefusedError

PERSISTED_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """A well-formed request.

    Attributes:
        query: The document's text; None where only its id came.
        document_id: Of a trusted document, or a document's SHA-256.
        wants_cost: Whether the answer is to say what the operation cost.
    """

    query: str | None
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    document_id: str | None = None
    wants_cost: bool = False


def read_asked(parameters: Mapping[str, object]) -> Asked:
    """Return what the parameters of a request ask for.

    Raises:
        RequestRefusedError: one has another type than the specification gives it.
    """
    query = _text(parameters, "query")
    extensions = _map(parameters, "extensions") or {}
    document_id = _document_id(parameters, extensions)
    if query is None and document_id is None:
        raise RequestRefusedError(400, "BAD_REQUEST", "query: expected a string")
    return Asked(
        query=query,
        variables=_map(parameters, "variables"),
        operation_name=_text(parameters, "operationName"),
        document_id=document_id,
        wants_cost=extensions.get("cost") is True,
    )


def _document_id(parameters: Mapping[str, object], extensions: Mapping[str, object]) -> str | None:
    persisted = _map(extensions, "persistedQuery")
    if persisted is None:
        return _text(parameters, "documentId")
    digest = persisted.get("sha256Hash")
    if persisted.get("version") != PERSISTED_VERSION or not isinstance(digest, str) or not digest:
        expected = 'expected {"version": 1, "sha256Hash": "…"}'
        raise RequestRefusedError(400, "BAD_REQUEST", f"extensions.persistedQuery: {expected}")
    return digest


def _text(parameters: Mapping[str, object], name: str) -> str | None:
    value = parameters.get(name)
    if value is None or isinstance(value, str):
        return value
    raise RequestRefusedError(400, "BAD_REQUEST", f"{name}: expected a string")


def _map(parameters: Mapping[str, object], name: str) -> dict[str, Any] | None:
    value = parameters.get(name)
    if value is None or isinstance(value, dict):
        return cast("dict[str, Any] | None", value)
    raise RequestRefusedError(400, "BAD_REQUEST", f"{name}: expected an object")
