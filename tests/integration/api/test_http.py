"""GraphQL over HTTP: the specification's answers, and what attackers try."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

import httpx
import pytest

from api.graphql import http
from api.request import RequestContext
from tests.factories.api import ApiWorld, open_api

NEW_TYPE = "application/graphql-response+json"
TYPENAME = "{ __typename }"


@pytest.fixture
async def open_house(database_url: str, valkey_url: str) -> AsyncGenerator[ApiWorld]:
    async with open_api(database_url, valkey_url, development=True) as opened:
        yield opened


async def post(api: ApiWorld, content: bytes | str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.http.post(
        "/graphql", content=content, headers={"content-type": "application/json", **named}
    )


def messages(response: httpx.Response) -> list[str]:
    return [error["message"] for error in response.json()["errors"]]


async def test_a_plain_query(api: ApiWorld) -> None:
    response = await api.send(TYPENAME)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_the_newer_media_type_where_it_is_asked_for(api: ApiWorld) -> None:
    good = await post(api, b'{"query":"{ __typename }"}', accept=NEW_TYPE)
    assert good.status_code == 200
    assert good.headers["content-type"] == f"{NEW_TYPE}; charset=utf-8"
    for bad in (
        '{"query":"{"}',
        '{"query":"{ nothing }"}',
        '{"query":"query($a:Int!){__typename}"}',
    ):
        refused = await post(api, bad, accept=NEW_TYPE)
        assert refused.status_code == 400
        assert "data" not in refused.json()
        legacy = await post(api, bad, accept="application/json")
        assert legacy.status_code == 200
        assert "data" not in legacy.json()
    partial = await post(api, b'{"query":"{ viewer { id } }"}', accept=NEW_TYPE)
    assert (partial.status_code, partial.json()["data"]) == (200, {"viewer": None})


BODIES: Final[list[tuple[bytes, int, str]]] = [
    (b"", 400, "body: expected JSON"),
    (b"{", 400, "body: expected JSON"),
    (b"\xff\xfe", 400, "body: expected JSON"),
    (b"1", 400, "body: expected an object"),
    (b"{}", 400, "query: expected a string"),
    (b'{"query":1}', 400, "query: expected a string"),
    (b'{"query":""}', 400, "query: expected a document"),
    (b'{"query":"{a}","variables":[]}', 400, "variables: expected an object"),
    (b'{"query":"{a}","extensions":1}', 400, "extensions: expected an object"),
    (b'{"query":"{a}","operationName":1}', 400, "operationName: expected a string"),
    (
        b'{"query":"query A{__typename}","operationName":"B"}',
        400,
        "operationName: expected the name of an operation in the document",
    ),
    (
        b'{"query":"subscription{sessionUpdated(sessionId:1){__typename}}"}',
        400,
        "subscriptions need a WebSocket (graphql-transport-ws)",
    ),
    (b'[{"query":"{a}"}]', 400, "body: expected one operation, not a batch"),
    (b'{"query":"' + b"x" * 70_000 + b'"}', 413, "body: expected at most 65536 bytes"),
    (b"[" * 60_000, 400, "body: expected JSON"),
]


async def test_bodies_that_are_no_operation(api: ApiWorld) -> None:
    for content, status, message in BODIES:
        response = await post(api, content)
        assert (response.status_code, messages(response)) == (status, [message])


async def test_a_large_body_that_hides_its_size(api: ApiWorld) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5000):
            yield b"x" * 1024

    response = await api.http.post(
        "/graphql", content=chunks(), headers={"content-type": "application/json"}
    )
    assert response.status_code == 413


async def test_types_that_a_browser_sends_across_sites(api: ApiWorld) -> None:
    for content_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ):
        response = await post(api, b'{"query":"{ __typename }"}', content_type=content_type)
        assert response.status_code == 415
        assert messages(response) == ["content-type: expected application/json"]


async def test_charsets(api: ApiWorld) -> None:
    body = b'{"query":"{ __typename }"}'
    good = await post(api, body, content_type='application/json; charset="UTF-8"')
    bad = await post(api, body, content_type="application/json; charset=utf-16")
    assert (good.status_code, bad.status_code) == (200, 415)


async def test_get_is_refused(api: ApiWorld) -> None:
    for query in (TYPENAME, "mutation { signOut { __typename } }"):
        response = await api.http.get("/graphql", params={"query": query})
        assert response.status_code == 405
        assert response.headers["allow"] == "POST"
        assert "graphiql" not in response.text.lower()


DOCUMENTS: Final = [
    ("{ __schema { types { name } } }", "introspection"),
    ('{ __type(name: "Query") { name } }', "introspection"),
    ("{ vewer { id } }", "Cannot query field 'vewer' on type 'Query'."),
    (
        "{ " + " ".join(f"a{i}: __typename" for i in range(16)) + " }",
        "aliases: expected at most 15",
    ),
    ("{ " + " ".join(f"a{i}: __typename" for i in range(1000)) + " }", "tokens"),
    ("{ " + "__typename " * 5000 + "}", "tokens"),
    ("{ __typename " + "@a " * 1000 + "}", "tokens"),
    ("{" * 3000, "Expected Name, found '{'"),
    ("{ viewer " * 3000, "nested too deeply"),
    ("query { ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "fragment"),
]


async def test_documents_that_cost_too_much_or_ask_too_much(api: ApiWorld) -> None:
    for query, message in DOCUMENTS:
        response = await api.send(query)
        assert response.status_code == 200
        told = messages(response)
        assert 1 <= len(told) <= 5
        assert any(message in one for one in told), (query[:50], told)
        assert "data" not in response.json()
        assert len(response.content) < 2000


def bomb(query: str, aliased: str) -> str:
    """Return sixty fragments that each use the next one twice."""
    fragments = " ".join(
        f"fragment f{level} on {query} {{ ...f{level + 1} ...f{level + 1} }}" for level in range(60)
    )
    return f"{{ ...f0 }} {fragments} fragment f60 on {query} {{ {aliased} }}"


@pytest.mark.parametrize(
    ("path", "query"), [("/graphql", "Query"), ("/staff/graphql", "StaffQuery")]
)
async def test_fragments_that_double_at_every_level(api: ApiWorld, path: str, query: str) -> None:
    refused = await api.send(bomb(query, "a: __typename"), path=path)
    assert messages(refused) == ["aliases: expected at most 15"]
    answered = await api.send(bomb(query, "__typename"), path=path)
    assert answered.json() == {"data": {"__typename": query}}


async def test_no_message_suggests_a_name(api: ApiWorld) -> None:
    for query in (
        "{ viewer { plate } }",
        "{ viewer { sessions(firs: 1) { __typename } } }",
        "query($a: SignInInpu!) { __typename }",
        "{ node(id: 1) { ... on Sesion { id } } }",
        'mutation { registerDevice(input: {kind: TOKE, target: "", platform: ""}) { __typename } }',
        'mutation { signIn(input: {requestIdd: ""}) { __typename } }',
        "{ __typename @skp(if: true) }",
        "{ ...Frg } fragment Frag on Query { __typename }",
    ):
        response = await api.send(query)
        assert messages(response)
        assert "Did you mean" not in response.text, query


async def test_introspection_is_open_in_development(open_house: ApiWorld) -> None:
    data = await open_house.ask("{ __schema { queryType { name } } }")
    assert data == {"__schema": {"queryType": {"name": "Query"}}}


async def test_a_defect_is_masked_and_logged(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(*_: object) -> bool:
        raise RuntimeError("the secret of the house")

    _, token = await api.add_driver()
    monkeypatch.setattr(RequestContext, "driver", fail)
    body = await api.post("{ viewer { id } }", token=token)
    [error] = body["errors"]
    assert error["message"] == "internal error"
    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(body)
    assert error["extensions"]["correlationId"] in capsys.readouterr().out


async def test_variables_that_do_not_fit_say_which(api: ApiWorld) -> None:
    response = await api.send("query($a: Int!) { viewer { sessions(first: $a) { __typename } } }")
    assert messages(response) == [
        "Variable '$a' has invalid value: Expected a value of non-null type 'Int!' to be provided."
    ]


async def test_an_operation_has_a_time_limit(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> bool:
        await asyncio.Event().wait()
        return True

    _, token = await api.add_driver()
    monkeypatch.setattr(RequestContext, "driver", hang)
    monkeypatch.setattr(http, "OPERATION_TIMEOUT_S", 0.01)
    response = await api.send("{ viewer { id } }", token=token)
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"]["code"] == "TIMEOUT"
