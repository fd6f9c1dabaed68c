"""docs/gate-wire.md is the contract: its examples, codes and limits are what the code does."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate_bridge.agent.control import ControlLine, read_line
from gate_bridge.agent.guards import Refusal
from gate_bridge.id_times import check_current, check_times
from gate_bridge.wire import errors
from gate_bridge.wire.actions import (
    AGENT_CALLS,
    BRIDGE_CALLS,
    RESULTS,
    BarrierEventKind,
    Hello,
    Observation,
    read_payload,
)
from gate_bridge.wire.closing import GateCloseCode
from gate_bridge.wire.errors import PayloadInvalidError
from gate_bridge.wire.frames import Call, CallFailure, CallResult, Message, decode_text
from gate_bridge.wire.limits import LIVE_S_MAX, SUBPROTOCOL, TIMES_APART_S_MAX, WireLimits

PAGE = (Path(__file__).parents[2] / "docs" / "gate-wire.md").read_text(encoding="utf-8")
EXAMPLES: list[Message] = [
    decode_text(text) for text in re.findall(r"^```json\n(.*?)\n```$", PAGE, re.MULTILINE)
]
CALLS = {**AGENT_CALLS, **BRIDGE_CALLS}
CODES = {
    kind.code
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.WireError)
    and kind is not errors.WireError
}


def calls() -> dict[str, Call]:
    return {example.id: example for example in EXAMPLES if isinstance(example, Call)}


def test_every_action_has_an_example_and_every_call_an_answer() -> None:
    shown = calls()
    answered = {example.id for example in EXAMPLES if isinstance(example, CallResult)}
    assert {call.action for call in shown.values()} == set(CALLS)
    assert answered == set(shown)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_are_what_the_models_accept(number: int) -> None:
    match example := EXAMPLES[number]:
        case Call():
            read_payload(CALLS[example.action], example.payload)
        case CallResult():
            read_payload(RESULTS[calls()[example.id].action], example.payload)
        case CallFailure():
            assert example.code in CODES
            assert "field" in example.details


def test_examples_obey_the_rules_about_times() -> None:
    now = datetime(2026, 11, 23, 3, 28, 32, tzinfo=UTC)
    for call in calls().values():
        check_times(read_payload(CALLS[call.action], call.payload), now)
    [hello] = [call for call in calls().values() if call.action == "Hello"]
    car = read_payload(Hello, hello.payload).presentation
    assert car is not None
    check_current(car)


@pytest.mark.parametrize("call", calls().values(), ids=lambda call: call.action)
def test_every_field_of_an_example_is_needed_and_no_other_is_taken(call: Call) -> None:
    model = CALLS[call.action]
    for field in (name for name in call.payload if model.model_fields[name].is_required()):
        less: dict[str, Any] = {name: call.payload[name] for name in call.payload if name != field}
        with pytest.raises(PayloadInvalidError) as caught:
            read_payload(model, less)
        assert caught.value.details["field"] == field
    with pytest.raises(PayloadInvalidError) as caught:
        read_payload(model, {**call.payload, "surprise": 1})
    assert caught.value.details["field"] == "surprise"


def test_all_codes_are_documented_and_no_others() -> None:
    section = PAGE.partition("### Failure codes")[2].partition("###")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == CODES
    section = PAGE.partition("### Close codes")[2].partition("###")[0]
    documented = {int(code) for code in re.findall(r"^\| (\d{4}) \|", section, re.MULTILINE)}
    assert documented == {code.value for code in GateCloseCode}


def test_refusals_and_events_are_documented() -> None:
    for word in (*Refusal, *BarrierEventKind, SUBPROTOCOL):
        assert f"`{word}`" in PAGE


def test_limits_are_the_documented_ones() -> None:
    limits = WireLimits()
    assert (limits.text_bytes_max, limits.image_bytes_max) == (65536, 4194304)
    assert (limits.calls_in_flight_max, limits.calls_per_s, limits.calls_burst) == (32, 200, 400)
    assert (limits.frames_per_s, limits.frames_burst, limits.malformed_max) == (10, 20, 10)
    assert (limits.frame_bytes_per_s, limits.frame_bytes_burst) == (4 * 2**20, 20 * 2**20)
    assert (LIVE_S_MAX, TIMES_APART_S_MAX) == (300, 300)
    assert (limits.hello_timeout_s, limits.ping_interval_s) == (5, 20)


def test_control_lines_of_the_page_are_understood() -> None:
    section = PAGE.partition("## Playing a lane")[2].partition("Each is answered")[0]
    lines = re.findall(r"^\| `(\{.*\})` \|", section, re.MULTILINE)
    fields = set[str]()
    for line in lines:
        fields |= read_line(line.encode()).model_fields_set
    assert fields == set(ControlLine.model_fields)


def test_an_observation_of_an_older_agent_says_the_defaults() -> None:
    [full] = [call for call in calls().values() if call.action == "Observation"]
    model = CALLS["Observation"]
    needed = {name for name, field in model.model_fields.items() if field.is_required()}
    plain = {name: full.payload[name] for name in needed}
    read = read_payload(Observation, plain)
    said = (read.heading, read.car_id, read.read_state, read.is_backfill, read.alternatives)
    assert said == ("unknown", None, "new", False, ())
    assert set(full.payload) == set(model.model_fields)
    for wrong in ([{"text": "B777", "probability": 2}], [{"text": "B777"}] * 11):
        with pytest.raises(PayloadInvalidError) as caught:
            read_payload(Observation, {**plain, "alternatives": wrong})
        assert str(caught.value.details["field"]).startswith("alternatives")
