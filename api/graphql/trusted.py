"""Trusted documents: Apollo's persisted-query manifest, read at the start.

https://www.apollographql.com/docs/graphos/platform/security/persisted-queries
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson

from api.config import (
    DOCUMENT_ID_LENGTH_MAX,
    TRUSTED_DOCUMENTS_BYTES_MAX,
    TRUSTED_DOCUMENTS_MAX,
)
from api.graphql.documents import Document, DocumentReader, digest_of
from api.graphql.refused import DocumentRefusedError
from parking.kit.errors import InvalidInputError

FORMAT: Final = "apollo-persisted-query-manifest"
VERSION: Final = 1
FIELD: Final = "SESAME_TRUSTED_DOCUMENTS_FILE"


@dataclass(frozen=True, slots=True)
class TrustedDocuments:
    """Documents of apps that we know; parsed and valid, they cost a request nothing.

    Attributes:
        by_id: By the id of the manifest.
        by_digest: By the SHA-256 of their text, for clients that send it all the same.
        only: Whether nothing else is executed.
    """

    by_id: Mapping[str, Document] = field(default_factory=dict[str, Document])
    by_digest: Mapping[str, Document] = field(default_factory=dict[str, Document])
    only: bool = False


def read_manifest(content: bytes, reader: DocumentReader, *, only: bool) -> TrustedDocuments:
    """Return a manifest's documents.

    Raises:
        InvalidInputError: it is no manifest, or an operation cannot be executed; it names it.
    """
    by_id: dict[str, Document] = {}
    by_digest: dict[str, Document] = {}
    for number, operation in enumerate(_operations(content), 1):
        name = operation.get("name")
        where = f"operation {name if isinstance(name, str) and name else number}"
        document_id = _text(operation, "id", where)
        if len(document_id) > DOCUMENT_ID_LENGTH_MAX or document_id in by_id:
            raise InvalidInputError(
                FIELD, f"{where}: an id of its own, of at most {DOCUMENT_ID_LENGTH_MAX} characters"
            )
        body = _text(operation, "body", where)
        by_id[document_id] = by_digest[digest_of(body)] = _read(operation, body, where, reader)
    return TrustedDocuments(by_id, by_digest, only)


def _read(operation: Mapping[str, Any], body: str, where: str, reader: DocumentReader) -> Document:
    try:
        document = reader.read(body)
    except DocumentRefusedError as error:
        raise InvalidInputError(FIELD, f"{where}: a valid body, and it says: {error}") from error
    kinds = {name: one.node.operation.value for name, one in document.operations.items()}
    if kinds != {operation.get("name"): operation.get("type")}:
        raise InvalidInputError(FIELD, f"{where}: one operation of its name and type in its body")
    return document


def _operations(content: bytes) -> list[Mapping[str, Any]]:
    if len(content) > TRUSTED_DOCUMENTS_BYTES_MAX:
        raise InvalidInputError(FIELD, f"at most {TRUSTED_DOCUMENTS_BYTES_MAX} bytes")
    try:
        manifest: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(FIELD, "JSON") from error
    head = cast("dict[str, Any]", manifest) if isinstance(manifest, dict) else {}
    if head.get("format") != FORMAT or head.get("version") != VERSION:
        raise InvalidInputError(FIELD, f'"format": "{FORMAT}" and "version": {VERSION}')
    listed = head.get("operations")
    operations = cast("list[object] | None", listed if isinstance(listed, list) else None)
    if operations is None or len(operations) > TRUSTED_DOCUMENTS_MAX:
        raise InvalidInputError(FIELD, f"a list of at most {TRUSTED_DOCUMENTS_MAX} operations")
    if not all(isinstance(one, dict) for one in operations):
        raise InvalidInputError(FIELD, "operations with id, name, type and body")
    return cast("list[Mapping[str, Any]]", operations)


def _text(operation: Mapping[str, Any], name: str, where: str) -> str:
    value = operation.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInputError(FIELD, f"{where}: a text in {name}")
    return value
