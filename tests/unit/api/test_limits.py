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
    assert errors == [("depth: expected at most 10 levels", {"code": "TOO_DEEP"})]


def doubled(levels: int, last: str, uses: int = 2) -> str:
    """Return fragments that each use the next one several times: uses^levels times the last."""
    fragments = " ".join(
        f"fragment f{level} on Deep {{ {f'...f{level + 1} ' * uses}}}" for level in range(levels)
    )
    return f"{{ ...f0 }} {fragments} fragment f{levels} on Deep {{ {last} }}"


async def test_fragments_that_double_at_every_level_are_measured_once() -> None:
    assert await run(doubled(60, "end")) == ({"end": "end"}, [])
    refused = [("aliases: expected at most 15", {"code": "TOO_MANY_ALIASES"})]
    assert await run(doubled(60, "a: end")) == (None, refused)
    assert await run(doubled(4, "a: end")) == (None, refused)
    assert await run(doubled(3, "a: end")) == ({"a": "end"}, [])


async def test_fragments_with_wide_fans_are_measured_once() -> None:
    assert await run(doubled(9, "end", uses=40)) == ({"end": "end"}, [])
    _, errors = await run(doubled(9, "a: end", uses=40))
    assert [extensions for _, extensions in errors] == [{"code": "TOO_MANY_ALIASES"}]


async def test_depth_is_counted_through_fragments() -> None:
    chain = " ".join(f"fragment f{n} on Deep {{ deeper {{ ...f{n + 1} }} }}" for n in range(10))
    for first, is_refused in (("...f0", False), ("deeper { ... on Deep { ...f0 } }", True)):
        _, errors = await run(f"{{ {first} }} {chain} fragment f10 on Deep {{ end }}")
        codes = [extensions for _, extensions in errors]
        assert codes == [{"code": "TOO_DEEP"}] * is_refused


async def test_a_fragment_that_uses_itself_twice_is_refused() -> None:
    data, errors = await run(
        "{ ...a } fragment a on Deep { ...b ...b } fragment b on Deep { ...a }"
    )
    assert data is None
    assert errors[0][0] == "Cannot spread fragment 'a' within itself via 'b'."


async def test_aliases_of_every_operation_count() -> None:
    aliases = " ".join(f"a{n}: end" for n in range(8))
    document = f"query A {{ {aliases} }} query B {{ {aliases} }}"
    assert [extensions for _, extensions in (await run(document))[1]] == [
        {"code": "TOO_MANY_ALIASES"}
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
