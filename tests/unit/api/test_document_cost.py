"""What operations cost, in points, and documents that are too large."""

from typing import Any

import pytest

from api.config import OPERATION_POINTS_MAX, PAGE_SIZE, PAGE_SIZE_MAX
from api.graphql import documents
from api.graphql.asked import Asked
from api.graphql.documents import Document, DocumentCache
from api.graphql.engine import Engine
from api.graphql.refused import DocumentRefusedError, RequestRefusedError
from api.schema import make_schema

ENGINE = Engine(make_schema(development=False), development=False)
PAGE = (
    "{ viewer { sessions(first: %s) { edges { node { id place { name } } }"
    " pageInfo { __typename } } } }"
)


def points(query: str, variables: dict[str, Any] | None = None) -> int:
    return ENGINE.prepare(Asked(query, variables)).points


def refusal(query: str) -> tuple[str, dict[str, Any]]:
    with pytest.raises(DocumentRefusedError) as caught:
        ENGINE.prepare(Asked(query))
    [error] = caught.value.errors
    return error.message, error.extensions or {}


def test_objects_are_a_point_each_and_pages_count_as_often_as_they_have_places() -> None:
    assert points("{ __typename }") == 0
    assert points("{ viewer { id } }") == 1
    assert points("{ viewer { plates { id } } }") == 1 + 5
    # The viewer, the connection, the page's information; and an edge, a node and a place each.
    assert points(PAGE % 7) == 3 + 7 * 3
    assert points(PAGE % PAGE_SIZE_MAX) == points(PAGE % 2_000_000) == 3 + PAGE_SIZE_MAX * 3
    assert points(PAGE.replace("(first: %s)", "")) == 3 + PAGE_SIZE * 3


def test_what_variables_decide_is_counted_with_them() -> None:
    query = "query($n: Int) " + PAGE % "$n"
    assert points(query, {"n": 7}) == 3 + 7 * 3
    assert points(query, {"n": 8}) == 3 + 8 * 3
    assert points(query, {"n": "x"}) == points(query) == 3 + PAGE_SIZE_MAX * 3
    assert points(query.replace("Int", "Int = 2")) == 3 + 2 * 3


def test_who_has_places_compared_by_money_pays_for_all_that_are_priced() -> None:
    page = "nearbyPlaces(near: {latitude: 1, longitude: 2}, first: 1%s) { edges { cursor } }"
    assert points(f"{{ {page % ''} }}") == points(f"{{ {page % ', order: DISTANCE'} }}") == 2
    assert points(f"{{ {page % ', order: PRICE'} }}") == 202
    asked = "query($order: NearbyOrder! = %s) { " + page % ", order: $order" + " }"
    assert points(asked % "TOTAL") == points(asked % "DISTANCE", {"order": "PRICE"}) == 202
    assert points(asked % "DISTANCE") == points(asked % "TOTAL", {"order": "DISTANCE"}) == 2


def test_a_write_is_ten_points() -> None:
    assert points("mutation { signOut { __typename } }") == 10 + 1


def test_fragments_cost_what_they_hold_wherever_they_stand() -> None:
    spread = "fragment F on SessionConnection { edges { node { id } } }"
    assert points("{ viewer { sessions(first: 3) { ...F } } } " + spread) == 2 + 3 * 2


def test_an_operation_beyond_the_limit_is_refused() -> None:
    line = "lines { amount { currency } runningTotal { currency } blockAmount { currency } }"
    stays = (
        f"sessions(first: 100) {{ edges {{ node {{ bill {{ {line} }} bills {{ {line} }} }} }} }}"
    )
    wide = "{ viewer { " + " ".join(f"a{n}: {stays}" for n in range(5)) + " } }"
    message = f"cost: expected at most {OPERATION_POINTS_MAX} points"
    assert refusal(wide) == (message, {"code": "TOO_COSTLY"})


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        (
            "{ __typename " + "@a " * 400 + "}",
            "TOO_MANY_DIRECTIVES",
            "directives: expected at most 30",
        ),
        (
            "{ " + "__typename " * 900 + "}",
            "TOO_MANY_REPEATS",
            "fields of one name: expected at most 20",
        ),
        (
            "{ " + ("viewer { " + "plates { id } " * 8 + "} ") * 18 + "}",
            "TOO_MANY_REPEATS",
            "fields of one name: expected at most 20",
        ),
        (
            "{ "
            + " ".join(f"...f{number}" for number in range(40))
            + " } "
            + " ".join(
                f"fragment f{number} on Query {{ viewer {{ id }} }}" for number in range(40)
            ),
            "TOO_MANY_REPEATS",
            "fields of one name: expected at most 20",
        ),
        (
            "{ " + "... { __typename } " * 200 + "}",
            "TOO_MANY_REPEATS",
            "fields of one name: expected at most 20",
        ),
        (
            "{ " + "... { " * 90 + "__typename" + " }" * 91,
            "TOO_DEEP",
            "nesting: expected at most 80",
        ),
    ],
)
def test_documents_of_a_bad_shape_get_one_error(query: str, code: str, message: str) -> None:
    assert refusal(query) == (message, {"code": code})


def test_the_cache_is_bounded_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "DOCUMENTS_CACHED_MAX", 2)
    cache, kept = DocumentCache(), Document({}, 10)
    for digest in ("a", "b"):
        cache.keep(digest, kept)
    assert cache.get("a") is kept
    cache.keep("c", kept)
    assert [cache.get(digest) for digest in "abc"] == [kept, None, kept]
    assert (len(cache), cache.size_bytes) == (2, 20)


def test_the_cache_is_bounded_by_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "DOCUMENTS_CACHED_BYTES_MAX", 100)
    cache = DocumentCache()
    for digest in ("a", "b", "c"):
        cache.keep(digest, Document({}, 40))
    assert (len(cache), cache.size_bytes) == (2, 80)
    cache.keep("large", Document({}, 101))
    assert (len(cache), cache.size_bytes) == (0, 0)


def test_a_document_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(make_schema(development=False), development=False)
    query = "query A { __typename } query B { viewer { id } }"
    engine.prepare(Asked(query, operation_name="A"))

    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(documents, "parse", fail)
    assert engine.prepare(Asked(query, operation_name="B")).points == 1
    with pytest.raises(RequestRefusedError):
        engine.prepare(Asked(query))
