"""The JSON Schemas under docs/gate-wire say what the bridge's models say."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gate_bridge.wire import errors
from gate_bridge.wire.actions import AGENT_CALLS, BRIDGE_CALLS, read_payload
from gate_bridge.wire.errors import WIRE_CODES, PayloadInvalidError
from sesame.commands.schema import gate_wire_files

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "gate-wire.md").read_text(encoding="utf-8")
EXAMPLES: list[list[Any]] = [
    json.loads(text) for text in re.findall(r"^```json\n(.*?)\n```$", PAGE, re.MULTILINE)
]
CALLS = {**AGENT_CALLS, **BRIDGE_CALLS}
ACTIONS = {example[1]: example[2] for example in EXAMPLES if example[0] == 2}


@cache
def validator(name: str) -> Draft202012Validator:
    schema = json.loads((DOCS / "gate-wire" / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems(name: str, payload: Any) -> list[str]:  # noqa: ANN401 - JSON
    found: Any = validator(name).iter_errors(payload)  # pyright: ignore[reportUnknownMemberType] - untyped
    return [str(error.message) for error in found]


def test_the_files_are_those_of_the_code() -> None:
    """After a change of the models: `sesame schema --gate-wire`."""
    there = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("gate-wire/*.json")}
    assert there == gate_wire_files()


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_page_pass(number: int) -> None:
    example = EXAMPLES[number]
    assert problems("messages", example) == []
    if example[0] == 2:
        assert problems(f"{example[2]}.call", example[3]) == []
    elif example[0] == 3:
        assert problems(f"{ACTIONS[example[1]]}.result", example[2]) == []


@pytest.mark.parametrize("number", [at for at, one in enumerate(EXAMPLES) if one[0] == 2])
def test_what_the_models_refuse_the_schemas_refuse_too(number: int) -> None:
    action, payload = EXAMPLES[number][2:]
    changed = [{**payload, "surprise": 1}]
    changed += [{**payload, name: value} for name in payload for value in _wrong(payload[name])]
    changed += [
        {left: value for left, value in payload.items() if left != name} for name in payload
    ]
    compared = 0
    for wrong in changed:
        try:
            read_payload(CALLS[action], wrong)
        except PayloadInvalidError:
            compared += 1
            assert problems(f"{action}.call", wrong) != [], wrong
        else:
            assert problems(f"{action}.call", wrong) == [], wrong
    assert compared > len(payload)


def _wrong(value: object) -> list[object]:
    """Return what somebody might write in place of a value."""
    common: list[object] = ["", True, {}, [], -1, 2**60, "line\nbreak", "\u2028", "x" * 20_000]
    if isinstance(value, str) and re.match(r"\d{4}-", value):
        common += ["2026-11-23T03:28:30", "2026-11-23", 1_700_000_000]
    return common


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        [2, "a", "Hello"],
        [2, "-1", "Heartbeat", {}],
        [2, "", "Heartbeat", {}],
        [2, "a" * 65, "Heartbeat", {}],
        [2, 1, "Heartbeat", {}],
        [2, "a", "Nonsense", {}],
        [2, "a", "Heartbeat", []],
        [3, "a", {}, {}],
        [4, "a", "NotReady", "told"],
        [4, "a", "Nonsense", "told", {}],
        [5, "a", {}],
    ],
)
def test_what_is_no_message_is_refused(message: Any) -> None:  # noqa: ANN401 - JSON
    assert problems("messages", message) != []


def test_every_code_of_a_failure_is_known() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    wire = {
        kind.code
        for kind in kinds
        if issubclass(kind, errors.WireError) and kind is not errors.WireError
    }
    assert wire == WIRE_CODES
