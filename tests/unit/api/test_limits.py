"""The limits of a document, on a schema that is deep enough to break them."""

from types import SimpleNamespace
from typing import Any

import strawberry

from api.config import QUERY_DEPTH_MAX
from api.graphql.asked import Asked
from api.graphql.engine import Engine
from api.graphql.refused import DocumentRefusedError
from api.graphql.wording import told_errors
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


ENGINE = Engine(strawberry.Schema(Deep), development=False)


async def run(query: str) -> tuple[object, list[tuple[str, object]]]:
    """Return the data, and each error's message and extensions but the correlation id."""
    context: Any = SimpleNamespace(correlation_id="c1", begin_again=lambda: None)
    try:
        answer = await ENGINE.execute(ENGINE.prepare(Asked(query)), context)
    except DocumentRefusedError as error:
        answer = {"errors": told_errors(error.errors, "c1")}
    errors = answer.get("errors", [])
    assert [error["extensions"].pop("correlationId") for error in errors] == ["c1"] * len(errors)
    return answer.get("data"), [(error["message"], error["extensions"]) for error in errors]


def nested(depth: int) -> str:
    return "{ " + "deeper { " * depth + "end" + " }" * (depth + 1)


async def test_depth_up_to_the_limit() -> None:
    data, errors = await run(nested(QUERY_DEPTH_MAX))
    assert (data is not None, errors) == (True, [])
    data, errors = await run(nested(QUERY_DEPTH_MAX + 1))
    assert data is None
    assert errors == [("depth: expected at most 10", {"code": "TOO_DEEP"})]


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
    assert errors == [("internal error", {"code": "INTERNAL"})]
    _, errors = await run('{ end(fail: "unforeseen") }')
    assert errors == [("internal error", {"code": "INTERNAL"})]
