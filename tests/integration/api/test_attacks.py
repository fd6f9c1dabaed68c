"""The attacks that graphql-cop, inql and graphql-armor try, against what production serves."""

from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from api.request import RequestContext
from tests.factories.api import ApiWorld

JSON: Final = {"content-type": "application/json"}
TYPENAME: Final = b'{"query":"{ __typename }"}'
INTROSPECTION: Final = (
    "GraphQL introspection has been disabled, but the requested query contained the field "
)
NESTED: Final = "{ __schema { types { fields { type { fields { type { name } } } } } } }"
SIGN_OUT: Final = "mutation { signOut { __typename } }"
TOKENS: Final = (
    "Syntax Error: Document contains more than 1000 tokens. Parsing aborted."  # as the library says
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an attack is answered."""

    status: int
    messages: list[str]
    code: str | None = None


DOCUMENTS: Final[list[tuple[str, str, Refusal]]] = [
    (
        "introspection",
        "{ __schema { queryType { name } } }",
        Refusal(200, [INTROSPECTION + "'__schema'.", INTROSPECTION + "'queryType'."]),
    ),
    (
        "introspection of one type",
        '{ __type(name: "Query") { name } }',
        Refusal(200, [INTROSPECTION + "'__type'."]),
    ),
    ("circular introspection", NESTED, Refusal(200, [])),
    (
        "suggestions",
        "{ vewer { id } }",
        Refusal(200, ["Cannot query field 'vewer' on type 'Query'."]),
    ),
    (
        "1,000 aliases",
        "{ " + " ".join(f"a{number}: __typename" for number in range(1000)) + " }",
        Refusal(200, [TOKENS]),
    ),
    (
        "as many aliases as a document has tokens for",
        "{ " + " ".join(f"a{number}: __typename" for number in range(300)) + " }",
        Refusal(200, ["aliases: expected at most 15"], "TOO_MANY_ALIASES"),
    ),
    ("5,000 duplicate fields", "{ " + "__typename " * 5000 + "}", Refusal(200, [TOKENS])),
    (
        "as many duplicate fields as a document has tokens for",
        "{ " + "__typename " * 900 + "}",
        Refusal(200, ["fields of one name: expected at most 20"], "TOO_MANY_REPEATS"),
    ),
    ("1,000 directives", "{ __typename " + "@a " * 1000 + "}", Refusal(200, [TOKENS])),
    (
        "as many directives as a document has tokens for",
        "{ __typename " + "@a " * 400 + "}",
        Refusal(200, ["directives: expected at most 30"], "TOO_MANY_DIRECTIVES"),
    ),
    (
        "circular fragments",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        Refusal(200, ["Cannot spread fragment 'A' within itself via 'B'."]),
    ),
    (
        "3,000 levels",
        "{ viewer " * 3000 + "}" * 3000,
        Refusal(200, ["Syntax Error: Document is nested too deeply. Parsing aborted."]),
    ),
]


@pytest.mark.parametrize(
    ("query", "refusal"), [case[1:] for case in DOCUMENTS], ids=[case[0] for case in DOCUMENTS]
)
async def test_documents_that_attack(api: ApiWorld, query: str, refusal: Refusal) -> None:
    response = await api.send(query)
    body = response.json()
    assert "data" not in body
    told = [error["message"] for error in body["errors"]]
    if refusal.messages:
        assert (response.status_code, told) == (refusal.status, refusal.messages)
    else:
        assert told
        assert all(message.startswith(INTROSPECTION) for message in told)
    assert {error["extensions"].get("code") for error in body["errors"]} == {refusal.code}
    assert len(response.content) < 2000


REQUESTS: Final[list[tuple[str, dict[str, Any], Refusal]]] = [
    (
        "a batch",
        {"content": b"[" + TYPENAME + b"," + TYPENAME + b"]", "headers": JSON},
        Refusal(400, ["body: expected one operation, not a batch"], "BAD_REQUEST"),
    ),
    (
        "urlencoded",
        {"data": {"query": SIGN_OUT}},
        Refusal(415, ["content-type: expected application/json"], "UNSUPPORTED_MEDIA_TYPE"),
    ),
    (
        "text/plain",
        {"content": TYPENAME, "headers": {"content-type": "text/plain"}},
        Refusal(415, ["content-type: expected application/json"], "UNSUPPORTED_MEDIA_TYPE"),
    ),
    (
        "multipart",
        {"files": {"operations": b"{}"}, "data": {"map": "{}"}},
        Refusal(415, ["content-type: expected application/json"], "UNSUPPORTED_MEDIA_TYPE"),
    ),
    (
        "5 MB",
        {"content": b'{"query":"' + b" " * 5_000_000 + b'"}', "headers": JSON},
        Refusal(413, ["body: expected at most 65536 bytes"], "PAYLOAD_TOO_LARGE"),
    ),
]


@pytest.mark.parametrize(
    ("sent", "refusal"), [case[1:] for case in REQUESTS], ids=[case[0] for case in REQUESTS]
)
async def test_requests_that_attack(api: ApiWorld, sent: dict[str, Any], refusal: Refusal) -> None:
    response = await api.http.post("/graphql", **sent)
    body = response.json()
    assert "data" not in body
    assert [error["message"] for error in body["errors"]] == refusal.messages
    assert response.status_code == refusal.status
    assert body["errors"][0]["extensions"]["code"] == refusal.code


async def test_nothing_is_asked_by_get_and_no_ide_is_served(api: ApiWorld) -> None:
    browser = {"accept": "text/html,application/xhtml+xml"}
    for query in ("{ __typename }", SIGN_OUT, None):
        parameters = {} if query is None else {"query": query}
        for path in ("/graphql", "/staff/graphql"):
            response = await api.http.get(path, params=parameters, headers=browser)
            assert (response.status_code, response.headers["allow"]) == (405, "POST")
            assert "html" not in response.headers["content-type"]
    for path in ("/graphiql", "/playground", "/voyager", "/altair", "/console", "/graphql/"):
        assert (await api.http.get(path, headers=browser)).status_code == 404


async def test_a_resolver_that_fails_tells_nothing(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> object:
        raise RuntimeError("SELECT secret FROM /srv/house")

    _, token = await api.add_driver()
    monkeypatch.setattr(RequestContext, "driver", fail)
    monkeypatch.setattr(RequestContext, "look", fail)
    response: httpx.Response = await api.send("{ viewer { id } }", token=token)
    [error] = response.json()["errors"]
    found = response.headers["x-correlation-id"]
    assert error == {
        "message": "internal error",
        "locations": [{"line": 1, "column": 3}],
        "path": ["viewer"],
        "extensions": {"code": "INTERNAL", "correlationId": found},
    }
