"""Apollo's manifest at the start, and what a client may send by its ids."""

import orjson
import pytest

from api.graphql import documents
from api.graphql.asked import Asked
from api.graphql.documents import digest_of
from api.graphql.engine import Engine
from api.graphql.refused import DocumentRefusedError, RequestRefusedError
from api.schema import make_schema
from parking.kit.errors import InvalidInputError

ME = "query Me { viewer { id } }"
OTHER = "query Other { __typename }"
OPERATION = {"id": "me-1", "name": "Me", "type": "query", "body": ME}


def manifest(*operations: object, **head: object) -> bytes:
    return orjson.dumps(
        {
            "format": "apollo-persisted-query-manifest",
            "version": 1,
            "operations": operations,
            **head,
        }
    )


def engine(content: bytes | None, *, only: bool = False) -> Engine:
    schema = make_schema(development=False)
    return Engine(schema, development=False, manifest=content, trusted_only=only)


def code_of(served: Engine, query: str | None = None, document_id: str | None = None) -> object:
    """Return the code of the refusal."""
    with pytest.raises((DocumentRefusedError, RequestRefusedError)) as caught:
        served.prepare(Asked(query, document_id=document_id))
    error = caught.value
    if isinstance(error, RequestRefusedError):
        return error.code, str(error)
    return (error.errors[0].extensions or {})["code"]


def name_of(served: Engine, query: str | None = None, document_id: str | None = None) -> str:
    """Return the name of the operation that is found."""
    name = served.prepare(Asked(query, document_id=document_id)).operation.node.name
    assert name is not None
    return name.value


WRONG: list[tuple[bytes, str]] = [
    (b"{", "JSON"),
    (b"[]", '"format": "apollo-persisted-query-manifest" and "version": 1'),
    (manifest(version=2), '"format": "apollo-persisted-query-manifest" and "version": 1'),
    (manifest(operations={}), "a list of at most 5000 operations"),
    (manifest("x"), "operations with id, name, type and body"),
    (manifest({**OPERATION, "id": ""}), "operation Me: a text in id"),
    (manifest({**OPERATION, "body": None}), "operation Me: a text in body"),
    (
        manifest(OPERATION, OPERATION),
        "operation Me: an id of its own, of at most 128 characters",
    ),
    (
        manifest(OPERATION, {**OPERATION, "id": "2", "body": "query Me { vewer { id } }"}),
        "operation Me: a valid body, and it says: Cannot query field 'vewer' on type 'Query'.",
    ),
    (
        manifest({**OPERATION, "name": "You"}),
        "operation You: one operation of its name and type in its body",
    ),
    (
        manifest({**OPERATION, "type": "mutation"}),
        "operation Me: one operation of its name and type in its body",
    ),
    (
        manifest({**OPERATION, "name": None}),
        "operation 1: one operation of its name and type in its body",
    ),
]


@pytest.mark.parametrize(("content", "expected"), WRONG)
def test_a_bad_manifest_says_which_operation_and_why(content: bytes, expected: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        engine(content)
    assert (caught.value.field, caught.value.expected) == (
        "SESAME_TRUSTED_DOCUMENTS_FILE",
        expected,
    )


def test_a_trusted_document_is_found_by_its_id_and_by_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = engine(manifest(OPERATION))

    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(documents, "parse", fail)
    assert name_of(served, document_id="me-1") == "Me"
    assert name_of(served, query=ME) == "Me"
    assert name_of(served, query=ME, document_id="me-1") == "Me"
    assert name_of(served, query=ME, document_id=digest_of(ME)) == "Me"


def test_only_trusted_documents_where_production_says_so() -> None:
    served = engine(manifest(OPERATION), only=True)
    assert name_of(served, document_id="me-1") == "Me"
    assert name_of(served, query=ME) == "Me"
    assert code_of(served, query=OTHER) == "QUERY_NOT_IN_SAFELIST"
    assert code_of(served, query=OTHER, document_id=digest_of(OTHER)) == "QUERY_NOT_IN_SAFELIST"
    assert code_of(served, document_id=digest_of(OTHER)) == "PERSISTED_QUERY_NOT_IN_LIST"
    assert code_of(served, query="{") == "QUERY_NOT_IN_SAFELIST"


def test_an_automatic_persisted_query_is_sent_once() -> None:
    served, digest = engine(None), digest_of(OTHER)
    assert code_of(served, document_id=digest) == "PERSISTED_QUERY_NOT_FOUND"
    assert name_of(served, query=OTHER, document_id=digest) == "Other"
    assert name_of(served, document_id=digest) == "Other"


def test_a_text_must_be_the_one_of_its_hash() -> None:
    mismatch = ("BAD_REQUEST", "provided sha does not match query")
    served = engine(manifest(OPERATION))
    assert code_of(served, query=OTHER, document_id=digest_of(ME)) == mismatch
    assert code_of(served, query=OTHER, document_id="me-1") == mismatch
    assert code_of(served, query=ME, document_id="you-1") == mismatch
    assert code_of(served, document_id=digest_of(OTHER)) == "PERSISTED_QUERY_NOT_FOUND"


def test_a_document_that_is_refused_is_not_kept() -> None:
    served, bad = engine(None), "{ nothing }"
    with pytest.raises(DocumentRefusedError):
        served.prepare(Asked(bad, document_id=digest_of(bad)))
    assert code_of(served, document_id=digest_of(bad)) == "PERSISTED_QUERY_NOT_FOUND"
