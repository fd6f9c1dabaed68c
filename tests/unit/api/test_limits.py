"""The limits of a document, on a schema that is deep enough to break them."""

from types import SimpleNamespace
from typing import Any

import strawberry
from strawberry.extensions import validation_cache

from api.config import DOCUMENTS_CACHED_MAX, QUERY_DEPTH_MAX
from api.limits import QuietSchema, extensions_of
from parking.kit.crypto import SealBrokenError
from parking.kit.errors import InvalidInputError, UnavailableError


@strawberry.type
class Deep:
    @strawberry.field
    def deeper(self) -> "Deep":
        return Deep()

    @strawberry.field
    def end(self, fail: str = "") -> str:
        failures = {
            "input": InvalidInputError("phone_number", "a number"),
            "outage": UnavailableError("10.0.0.7 does not answer"),
            "defect": SealBrokenError("key 1"),
        }
        if fail:
            raise failures[fail]
        return "end"


SCHEMA = QuietSchema(Deep, extensions=extensions_of(development=False))


async def run(query: str) -> tuple[object, list[tuple[str, object]]]:
    context = SimpleNamespace(correlation_id="c1")
    result = await SCHEMA.execute(query, context_value=context)
    return result.data, [(error.message, error.extensions) for error in result.errors or []]


def nested(depth: int) -> str:
    return "{ " + "deeper { " * depth + "end" + " }" * (depth + 1)


async def test_depth_up_to_the_limit() -> None:
    data, errors = await run(nested(QUERY_DEPTH_MAX))
    assert (data is not None, errors) == (True, [])
    data, errors = await run(nested(QUERY_DEPTH_MAX + 1))
    assert data is None
    assert [message for message, _ in errors] == [
        "'anonymous' exceeds maximum operation depth of 10"
    ]


async def test_an_expected_refusal_has_its_code_and_field() -> None:
    _, errors = await run('{ end(fail: "input") }')
    extensions = {"code": "INVALID_INPUT", "retryable": False, "field": "phoneNumber"}
    assert errors == [("phoneNumber: expected a number", extensions)]


async def test_an_outage_names_no_host() -> None:
    _, errors = await run('{ end(fail: "outage") }')
    message = "something that is needed does not answer; try again"
    assert errors == [(message, {"code": "UNAVAILABLE", "retryable": True})]


async def test_a_defect_is_masked() -> None:
    _, errors = await run('{ end(fail: "defect") }')
    assert errors == [("internal error", {"code": "INTERNAL", "correlationId": "c1"})]
    _, errors = await run('{ end(fail: "unforeseen") }')
    assert errors == [("internal error", {"code": "INTERNAL", "correlationId": "c1"})]


async def test_documents_are_cached_with_their_validation() -> None:
    cache: Any = validation_cache._get_validate_cache(DOCUMENTS_CACHED_MAX)  # pyright: ignore[reportPrivateUsage] - its statistics are nowhere else
    await run("{ end deeper { end } }")
    before = cache.cache_info().hits
    await run("{ end deeper { end } }")
    assert cache.cache_info().hits == before + 1
